"""Sections on the data: the corpus in tables, and the tracks whose chosen person is most doubtful."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from frame_expressions.artifacts.parquet import read_parquet
from frame_expressions.artifacts.vocabulary import (
    ABSENT,
    AUDIBLE,
    DETECTED,
    EXPRESSIONS,
    INTERPOLATED,
    NO_AUDIO,
    NUM_CLASSES,
    SILENT,
    SPLITS,
)
from frame_expressions.corpora.labels import frame_labels
from frame_expressions.corpora.tracks import Track
from frame_expressions.faces.doubt import EXPLANATION
from frame_expressions.media.audio import open_audio, state_of
from frame_expressions.media.timeline import read_times
from frame_expressions.report.page import Section, Table, Text
from frame_expressions.report.pictures import jpeg_picture

NUM_SHEETS = 3
SHEET_PX = 720


def corpus_section(
    tracks: list[Track], timelines: dict[str, Path], subjects: dict[str, Path], audio: dict[str, Path]
) -> Section:
    """Counts of the corpus by split. timelines, audio: by video. subjects: by track."""
    time_s = {video: read_times(path) for video, path in timelines.items()}
    counts, faces, states_of = [], [], []
    for split in SPLITS:
        here = [track for track in tracks if track.split == split]
        videos = list(dict.fromkeys(track.video for track in here))
        labelled = _labelled_frames(here, time_s) if split != "test" else None
        counts.append(
            [
                f"{len(here):,}",
                f"{len(videos):,}",
                f"{sum(len(time_s[video]) == 0 for video in videos):,}",
                f"{sum(len(time_s[track.video]) for track in here):,}",
                *(["-"] * (1 + NUM_CLASSES) if labelled is None else (f"{n:,}" for n in (labelled.sum(), *labelled))),
            ]
        )
        statuses = Counter(status for track in here for status in _statuses(subjects[track.track]))
        total = max(sum(statuses.values()), 1)
        faces.append([f"{statuses[status] / total:.1%}" for status in (DETECTED, INTERPOLATED, ABSENT)])
        states = Counter(_audio_state(audio[video]) for video in videos)
        states_of.append([f"{states[state]:,}" for state in (AUDIBLE, SILENT, NO_AUDIO)])
    names = ["tracks", "videos", "skipped videos", "frames", "labelled frames", *EXPRESSIONS]
    blocks = [
        Text("A track is one person in one video. The frames of a video with two tracks are counted twice."),
        _by_split("Tracks, and labelled frames of each class", names, counts),
        _by_split("Frames by face status", [DETECTED, INTERPOLATED, ABSENT], faces),
        _by_split("Videos by audio", ["audible", "silent (every sample is 0)", "no audio that decodes"], states_of),
    ]
    return Section("corpus", "Corpus", blocks)


def doubt_section(doubt: Path, sheets: dict[str, Path]) -> Section:
    """The contact sheets of the first tracks in the table `doubt`. sheets: by track."""
    rows = pd.read_csv(doubt, sep="\t", dtype={"track": str}).head(NUM_SHEETS)
    blocks = [
        Text(
            f"The person chosen in the {len(rows)} most doubtful tracks. {EXPLANATION} All tracks are in "
            "results/contact_sheets/index.html, which also explains how to correct a choice."
        ),
        Text(
            "The chosen box is green and solid where detected, orange and dashed where interpolated; thin grey boxes "
            "are all faces found. Below each frame are the stored crops."
        ),
    ]
    for row in rows.itertuples():
        figures = ", ".join(
            [
                f"doubt {row.doubt:.3f}",
                f"switches {row.num_switches}",
                f"jumps {row.num_jumps}",
                f"absent {row.absent_share:.1%}",
                f"interpolated {row.interpolated_share:.1%}",
                f"other face of similar size {row.rival_share:.1%}",
            ]
        )
        alt = f"Contact sheet of track {row.track}: {figures}"
        blocks.append(jpeg_picture(sheets[row.track].read_bytes(), alt, f"{row.track}: {figures}", least_px=SHEET_PX))
    return Section("doubt", "The most doubtful tracks", blocks)


def _by_split(caption: str, names: Iterable[str], columns: list[list[str]]) -> Table:
    """One row per name, one column per split."""
    return Table(caption, ["", *SPLITS], list(zip(names, *columns, strict=True)))


def _labelled_frames(tracks: list[Track], time_s: dict[str, np.ndarray]) -> np.ndarray:
    counts = np.zeros(NUM_CLASSES, np.int64)
    for track in tracks:
        labels = frame_labels(asdict(track), time_s[track.video])
        counts += np.bincount(labels[labels >= 0], minlength=NUM_CLASSES)
    return counts


def _statuses(subject: Path) -> list[str]:
    return read_parquet(subject, columns=["status"])["status"].to_pylist()


def _audio_state(audio: Path) -> str:
    """The audio state from the metadata of the file, without decoding its samples."""
    with open_audio(audio) as flac:
        return state_of(flac)
