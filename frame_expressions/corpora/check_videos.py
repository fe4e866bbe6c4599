"""The contents and the problems of a corpus, found in seconds to minutes without running a rule.

Videos are judged by their headers, and by their packets in containers whose time stamps may jump (all but MP4 and AVI,
so a transport stream is read whole). If a header's number of frames is far from the number of rows, the video's packets
are counted; if that count would stop the run, the video is decoded. Shapes: K tracks, C classes.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from frame_expressions.artifacts.vocabulary import EXPRESSIONS, NUM_CLASSES, SPLITS
from frame_expressions.challenge.alignment import LARGEST_SHARE, USUAL_ROWS, num_rows_expected
from frame_expressions.challenge.annotations import read_annotation
from frame_expressions.challenge.templates import read_template
from frame_expressions.corpora.folds import is_cross_validated
from frame_expressions.corpora.problems import ERROR, WARNING, Problem, collecting, problem_of
from frame_expressions.corpora.tracks import Track
from frame_expressions.media.child_process import look_at_each
from frame_expressions.media.clock import UNSHIFTED, Clock
from frame_expressions.media.clock_reader import read_stamps
from frame_expressions.media.headers import Header, count_packets, read_header
from frame_expressions.media.limits import Limits
from frame_expressions.media.timeline import frame_times
from frame_expressions.media.video import read_video
from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.job import progress

CLASSES = list(EXPRESSIONS)
FEW_VIDEOS_SHARE = 0.5
"""A class of which one video has at least this share is reported, because its score depends on that video."""


def count_rows(tracks: Sequence[Track], template: Path | None) -> pd.DataFrame:
    """One row per track: track, video, split, path, label, rows, and the labelled rows of each class.

    rows of a test track is the last frame that the template asks for; it need not ask for all. It is NaN if the number
    is unknown: for a clip with one label, without a template, and for a file that cannot be read, which
    `check_files.problems_of_files` reports.
    """
    unreadable: list[Problem] = []
    asked: dict[str, int] = {}
    if template and template.exists():
        with collecting(unreadable):
            for name, frame in read_template(template):
                asked[name] = max(asked.get(name, 0), frame)
    rows, counts = np.full(len(tracks), np.nan), np.zeros((len(tracks), NUM_CLASSES), dtype=np.int64)
    for k, track in enumerate(tracks):
        if track.split == "test":
            rows[k] = asked.get(track.track, np.nan)
        elif track.annotation and Path(track.annotation).exists():
            with collecting(unreadable):
                labels = read_annotation(Path(track.annotation))
                rows[k], counts[k] = len(labels), np.bincount(labels[labels >= 0], minlength=NUM_CLASSES)
    names = ("track", "video", "split", "path", "label")
    columns = {name: [getattr(track, name) for track in tracks] for name in names}
    return pd.DataFrame(columns | {"rows": rows} | dict(zip(CLASSES, counts.T, strict=True)))


def look_at_videos(table: pd.DataFrame, on_bad_video: str, limits: Limits) -> tuple[pd.DataFrame, list[Problem]]:
    """The table of `count_rows` with columns readable and num_frames, and the problems of the videos that exist.

    A clip with one label counts its number of frames towards its class. The tracks of a video that cannot be read
    have no labelled rows; such a video is an error if `on_bad_video` is `stop`, else a warning. Child processes read
    the videos.
    """
    table = table.assign(readable=False, num_frames=0)
    problems: list[Problem] = []
    groups = {Path(path): rows for path, rows in table.groupby("path", sort=False).groups.items()}
    there = [path for path in groups if path.is_file()]
    look = partial(_look_at, {path: table.loc[groups[path], "rows"].tolist() for path in there}, limits)
    for file, found in progress(look_at_each(look, there, limits), len(there), "headers", "videos"):
        of_video = groups[file]
        path, tracks = table.at[of_video[0], "path"], ", ".join(table.loc[of_video, "track"])
        if isinstance(found, InputError):
            severity = ERROR if on_bad_video == "stop" else WARNING
            problems.append(problem_of(found, severity, tracks, path))
            table.loc[of_video, CLASSES] = 0
            continue
        header, clock, *counted = found
        problems += [Problem(WARNING, *sentence, tracks, path) for sentence in _oddities(path, header, clock)]
        for k, (num_frames, how) in zip(of_video, counted, strict=True):
            table.at[k, "readable"], table.at[k, "num_frames"] = True, num_frames
            if table.at[k, "label"] and table.at[k, "split"] != "test":
                table.at[k, table.at[k, "label"]] = num_frames
            problems += _odd_count(table.loc[k], how)
    return table, problems


def _oddities(path: str, header: Header, clock: Clock) -> Iterator[tuple[str, str]]:
    """What is unusual about a video's audio and time stamps, and what to do about it."""
    if not header.audio:
        yield f"The video {path} has no audio", "ignore this if it never had any"
    if len(header.audio) > 1:
        what = f"The video {path} has {len(header.audio)} audio streams: {'; '.join(header.audio)}"
        yield what, "set audio.stream if the one that the file marks as its default is not the right one"
    if clock.num_discontinuities:
        what = f"The time stamps of the video {path} have {clock.num_discontinuities} discontinuities"
        yield what, "check that its parts are those that you want, one after the other"


def _look_at(
    rows_of_tracks: dict[Path, list[float]], limits: Limits, path: Path
) -> Iterator[Header | Clock | tuple[int, str] | None]:
    """Yield a video's header, its clock, and for each track its number of frames and how they were counted.

    rows_of_tracks: by video, the number of rows of each of its tracks, NaN if unknown. Yields None for every decoded
    frame, as a sign of life.
    """
    header = read_header(path)
    yield header
    yield from read_stamps(path) if header.may_jump else [UNSHIFTED]
    time_s = None
    for rows in rows_of_tracks[path]:
        if not header.has_empty:
            if header.num_frames and not abs(rows - header.num_frames) > USUAL_ROWS:
                yield header.num_frames, "by its header"
                continue
            packets = count_packets(path)
            if not abs(rows - packets) > max(USUAL_ROWS, LARGEST_SHARE * rows):
                yield packets, "by its packets"
                continue
        if time_s is None:
            stamps_s = []
            for frame in read_video(path, limits):
                stamps_s.append(frame.stamp_s)
                step_s = frame.step_s
                yield None
            time_s, _ = frame_times(stamps_s, step_s)
        yield num_rows_expected(time_s, rows), "decoded"


def _odd_count(row: pd.Series, counted: str) -> list[Problem]:
    difference = abs(row["rows"] - row["num_frames"])
    if not difference > USUAL_ROWS:
        return []
    kind = "template" if row["split"] == "test" else "annotation"
    what = f"Track {row['track']} has {row['rows']:.0f} rows, but its video has {row['num_frames']} frames ({counted})"
    remedy = f"check that {kind} and video belong together and that the video is whole"
    severity = ERROR if difference > LARGEST_SHARE * row["rows"] else WARNING
    return [Problem(severity, what, remedy, row["track"], row["path"])]


def look_at_labels(table: pd.DataFrame, folds: Sequence[str], num_parts: int) -> list[Problem]:
    """Problems of the labelled rows of the table, including those that make training or prediction impossible.

    folds: the folds whose models predict the submission: `official`, imported ones, or the `num_parts` folds of a
    cross-validation.
    """
    labelled = table[CLASSES].sum(axis=1)
    problems = []
    for k in table.index[(table["split"] != "test") & (table["rows"] > 0) & (labelled == 0) & table["readable"]]:
        what = f"Track {table.at[k, 'track']} has no labelled frame"
        remedy = "ignore this if it is intended; nothing is learned from the track"
        problems.append(Problem(WARNING, what, remedy, table.at[k, "track"]))
    for split in SPLITS[:2]:
        of_split = table[table["split"] == split]
        of_video = of_split.groupby("video")[CLASSES].sum()
        absent = [name for name in CLASSES if not of_video[name].any()]
        if 0 < len(absent) < NUM_CLASSES:
            what = f"{split} has no labelled frame of {', '.join(absent)}"
            problems.append(Problem(WARNING, what, "add videos that show it, or expect an F1 of 0 for it"))
        for name in [name for name in CLASSES if name not in absent]:
            video, share = of_video[name].idxmax(), of_video[name].max() / of_video[name].sum()
            if share >= FEW_VIDEOS_SHARE:
                tracks = of_split.loc[(of_split["video"] == video) & (of_split[name] > 0), "track"]
                what = f"The video {video} holds {share:.0%} of {split}'s {name}"
                remedy = "expect the score to depend on this video, or move videos between the splits"
                problems.append(Problem(WARNING, what, remedy, ", ".join(tracks)))
    num_of = labelled.groupby(table["split"]).sum()
    num_videos = table.loc[(table["split"] != "test") & (labelled > 0), "video"].nunique()
    predicted = (table["split"] == "test") & (table["readable"] | table["rows"].notna())
    in_parts = all(map(is_cross_validated, folds))
    impossible = {
        "No test track has a frame to predict": not predicted.any(),
        "No training frame is labelled": "official" in folds and not num_of.get("train", 0),
        "No validation frame is labelled": not in_parts and not num_of.get("validation", 0),
        f"{num_videos} labelled videos cannot be divided into {num_parts} parts": in_parts and num_videos < num_parts,
    }
    remedy = "add the videos and files that are missing"
    return problems + [Problem(ERROR, what, remedy) for what, true in impossible.items() if true]


def describe(table: pd.DataFrame) -> str:
    """The corpus as two small tables of text: its contents by split, and the labelled frames of each class."""
    by_split = table.groupby("split")
    labelled = table.assign(labelled=table[CLASSES].sum(axis=1))
    there = pd.DataFrame(
        {
            "tracks": by_split.size(),
            "videos": by_split["video"].nunique(),
            "readable": table[table["readable"]].groupby("split")["video"].nunique(),
            "of several persons": table[table["video"].duplicated(keep=False)].groupby("split")["video"].nunique(),
            "rows": by_split["rows"].sum(),
            "labelled": labelled.groupby("split")["labelled"].sum(),
        }
    )
    splits = [split for split in SPLITS if split in there.index]
    frames = by_split[CLASSES].sum()
    of_video = table.groupby(["split", "video"])[CLASSES].sum().groupby("split").max()
    columns = {}
    for split in splits:
        if split != "test":
            columns[split] = frames.loc[split]
            share = of_video.loc[split] / frames.loc[split]
            columns[f"largest video in {split}"] = ["-" if np.isnan(x) else f"{x:.0%}" for x in share]
    splits_of = table.groupby("video")["split"].nunique()
    lines = [there.reindex(splits).fillna(0).astype(int).to_string()]
    if frames.to_numpy().any():
        lines += ["", "Labelled frames of each class, and the share of the video with most of them", ""]
        lines += [pd.DataFrame(columns, index=CLASSES).to_string()]
    if (splits_of > 1).any():
        names = ", ".join(splits_of.index[splits_of > 1])
        lines += ["", f"Videos with tracks in two splits, kept together in every fold: {names}"]
    return "\n".join(lines)
