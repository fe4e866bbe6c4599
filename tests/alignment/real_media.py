"""What the stages make of real files, compared with what their manifest says."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from frame_expressions.artifacts.parquet import read_parquet
from frame_expressions.media.audio import read_audio
from frame_expressions.media.frame_images import FrameSettings
from frame_expressions.media.limits import Limits
from frame_expressions.runtime.errors import InputError
from tests.media import LIMITS
from workflow_scripts import extract_frames, resample_audio

STATES = {"none": "no_audio", "audible": "audible", "digital_silence": "silent", "": ""}


@dataclass(frozen=True)
class Outcome:
    """One file: counts as found and expected (None: no video), the rotation that its manifest states, the outcome."""

    file: str
    frames: int | None
    frames_expected: int | None
    damaged: int
    rotation: str
    shown: str
    shown_expected: str
    state: str
    state_expected: str
    outcome: str

    @property
    def right(self) -> bool:
        """Whether all is as expected; a file that is no video must be refused."""
        return (self.frames, self.shown, self.state) == (
            self.frames_expected,
            self.shown_expected,
            self.state_expected,
        )


def outcomes(shared: Path, folder: Path) -> Iterator[Outcome]:
    """Every file of shared/media, by its manifest."""
    with (shared / "MANIFEST.csv").open(newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["file"].startswith("media/")]
    for row in rows:
        yield _outcome(shared, row, folder)


def _outcome(shared: Path, row: dict, folder: Path) -> Outcome:
    timeline, frames, audio = folder / "timeline.parquet", folder / "frames.parquet", folder / "audio.flac"
    quarter = row["rotation"] in ("90", "-90")
    size = (row["height"], row["width"]) if quarter else (row["width"], row["height"])
    expected = {
        "file": row["file"].removeprefix("media/"),
        "frames_expected": int(row["frames_decoded"]) if row["frames_decoded"] else None,
        "rotation": row["rotation"],
        "shown_expected": "x".join(size) if row["frames_decoded"] else "",
        "state_expected": STATES[row["audio_state"]],
    }
    video = shared / row["file"]
    try:
        extract_frames.run(
            video=video,
            timeline=timeline,
            frames=frames,
            settings=FrameSettings(images="none", thumbnail_px=0, jpeg_quality=0),
            on_bad_video="stop",
            limits=Limits(**LIMITS),
        )
        resample_audio.run(
            stream="auto", video=video, timeline=timeline, audio=audio, on_bad_video="stop", limits=Limits(**LIMITS)
        )
    except InputError as error:
        sentence = str(error).replace(f"{video}", video.name)
        return Outcome(**expected, frames=None, damaged=0, shown="", state="", outcome=sentence)
    table = read_parquet(timeline).to_pandas()
    damaged = int((~table["decoded"]).sum())
    return Outcome(
        **expected,
        frames=len(table),
        damaged=damaged,
        shown=f"{table['width_px'][0]}x{table['height_px'][0]}",
        state=read_audio(audio)[1],
        outcome="decodes" if damaged == 0 else f"decodes, {damaged} frames marked as damaged",
    )
