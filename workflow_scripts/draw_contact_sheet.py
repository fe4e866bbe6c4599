"""Draw one track on one picture, for people to see whether the right person was chosen."""

import io
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from frame_expressions.artifacts.atomic import atomic_write
from frame_expressions.artifacts.parquet import read_parquet, read_provenance
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.text import write_json
from frame_expressions.faces.boxes import read_boxes
from frame_expressions.faces.doubt import Doubt, are_rivals, doubt_of, evenly_spaced, side_px
from frame_expressions.media.jpeg import encode_jpeg
from frame_expressions.media.video import read_frames
from frame_expressions.report.contact_sheet import NOBODY, Cell, Strip, draw_sheet
from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.job import log_to


def run(
    *,
    subject: Path,
    faces: Path,
    timeline: Path,
    frames: Path,
    crops: Path,
    video: Path | None,
    sheet: Path,
    figures: Path,
    num_frames: int,
    num_changes: int,
    frame_width_px: int,
    jpeg_quality: int,
) -> None:
    """Write the contact sheet of a track, a JPEG, and its figures, for the index.

    num_frames: how many evenly spaced frames are shown. num_changes: how many switches to another person and jumps of
    the box are shown besides, the first ones, each with the frame before and after it. frame_width_px: longest width of
    a frame. video: where the pictures come from when `frames` keeps none, otherwise None.
    """
    settings = {
        "num_frames": num_frames,
        "num_changes": num_changes,
        "frame_width_px": frame_width_px,
        "jpeg_quality": jpeg_quality,
    }
    logging.info("drawing %s from %s: %s", sheet, frames if video is None else video, settings)
    track = _read_track(subject, faces, timeline)
    doubt = doubt_of(track.time_s, track.xyxy_px, track.status, track.person, track.face_index, track.face_xyxy_px)
    spaced = evenly_spaced(len(track.time_s), num_frames).tolist()
    changes = _changes(doubt)
    shown = sorted({*spaced, *(index for _, *ends in changes[:num_changes] for index in ends)})
    pictures = _pictures(frames, video, [index + 1 for index in shown], len(track.time_s))
    other = _other_face(track, shown)

    def cell(index: int, note: str = "") -> Cell:
        here = np.flatnonzero(track.face_index == index)
        absent = bool(np.isnan(track.xyxy_px[index, 0]))
        return Cell(
            number=index + 1,
            time_s=float(track.time_s[index]),
            status=track.status[index],
            rgb=pictures[index + 1],
            frame_size_px=tuple(track.size_px[index].tolist()),
            xyxy_px=None if absent else track.xyxy_px[index],
            person=None if absent else int(track.person[index]),
            faces_xyxy_px=track.face_xyxy_px[here],
            other_px=track.face_xyxy_px[other] if other in here else None,
            crops=[] if absent else [_decode(jpeg) for jpeg in _jpegs(crops, index + 1)],
            note=note,
        )

    rows = []
    if spaced:
        rows.append((f"Evenly spaced frames: {len(spaced)} of {len(track.time_s)}", [cell(index) for index in spaced]))
    if changes[:num_changes]:
        pairs = [
            cell(index, f"{kind} {place}, {side}")
            for place, (kind, *ends) in enumerate(changes[:num_changes], start=1)
            for side, index in zip(("before", "after"), ends, strict=True)
        ]
        rows.append((f"Switches to another person and jumps of the box: {len(pairs) // 2} of {len(changes)}", pairs))
    asked = read_provenance(subject)["settings"]
    overrides = f", overrides: {len(asked['overrides'])}" if asked["overrides"] else ""
    title = f"{subject.stem}   (video {timeline.stem}, person: {asked['person']}{overrides})"
    strip = Strip(status=track.status, person=track.person, rival=doubt.rival, shown=np.array(shown))
    drawn = draw_sheet(title, describe(doubt), strip, rows, frame_width_px)
    with atomic_write(sheet) as temporary:
        temporary.write_bytes(encode_jpeg(drawn, jpeg_quality))
    content = {
        "track": subject.stem,
        "video": timeline.stem,
        "person": asked["person"],
        "num_overrides": len(asked["overrides"]),
        "num_frames": doubt.num_frames,
        "doubt": doubt.doubt,
        "num_switches": len(doubt.switches),
        "num_jumps": len(doubt.jumps),
        "absent_share": doubt.absent_share,
        "interpolated_share": doubt.interpolated_share,
        "rival_share": doubt.rival_share,
        "median_side_px": doubt.median_side_px,
        "other_frame": None if other is None else int(track.face_index[other]) + 1,
        "other_xyxy_px": None if other is None else np.round(track.face_xyxy_px[other].astype(float), 1).tolist(),
        "sheet_size_px": [drawn.shape[1], drawn.shape[0]],
        "provenance": provenance_of(settings, [subject, faces]),
    }
    write_json(content, figures)
    logging.info("made %s: %d frames shown, doubt %.3f", sheet, len(shown), doubt.doubt)


def describe(doubt: Doubt) -> list[str]:
    """A track's figures in words."""
    if doubt.num_frames == 0:
        return ["no frames: the video was skipped"]
    size = "nobody was ever chosen" if doubt.median_side_px is None else f"face {doubt.median_side_px:.0f} px"
    return [
        f"{doubt.num_frames} frames:  detected {doubt.detected_share:.1%}  |  interpolated "
        f"{doubt.interpolated_share:.1%}  |  absent {doubt.absent_share:.1%}  |  {size}",
        f"switches to another person: {len(doubt.switches)}  |  jumps of the box: {len(doubt.jumps)}  |  "
        f"another face of like size in {doubt.rival_share:.1%} of the frames  |  doubt {doubt.doubt:.3f}",
    ]


@dataclass(frozen=True)
class _Track:
    """What was chosen and found, T frames and F faces; arrays as for `doubt_of`.

    size_px: int [T, 2], width and height of the upright frame.
    """

    time_s: np.ndarray
    status: np.ndarray
    person: np.ndarray
    xyxy_px: np.ndarray
    face_index: np.ndarray
    face_xyxy_px: np.ndarray
    size_px: np.ndarray


def _read_track(subject: Path, faces: Path, timeline: Path) -> _Track:
    chosen = read_parquet(subject, columns=["time_s", "status", "person"])
    found = read_parquet(faces, columns=["frame", "xyxy_px"])
    size = read_parquet(timeline, columns=["width_px", "height_px"])
    boxes = [np.full(4, np.nan) if box is None else box for box in read_boxes(subject)]
    return _Track(
        time_s=chosen["time_s"].to_numpy(),
        status=chosen["status"].to_numpy(),
        person=chosen["person"].fill_null(NOBODY).to_numpy(),
        xyxy_px=np.array(boxes).reshape(-1, 4),
        face_index=found["frame"].to_numpy() - 1,
        face_xyxy_px=found["xyxy_px"].combine_chunks().flatten().to_numpy().reshape(-1, 4),
        size_px=np.column_stack([size["width_px"], size["height_px"]]),
    )


def _changes(doubt: Doubt) -> list[tuple[str, int, int]]:
    """Every switch and jump in order of time: its kind, and the frames before and after it."""
    kinds = (("switch", doubt.switches), ("jump", doubt.jumps))
    return sorted(((kind, *ends) for kind, pairs in kinds for ends in pairs.tolist()), key=lambda change: change[2])


def _other_face(track: _Track, shown: list[int]) -> int | None:
    """The largest face of like size that was not chosen in the frames shown: the one that may be meant instead."""
    rivals = are_rivals(track.xyxy_px, track.face_index, track.face_xyxy_px)
    offered = np.flatnonzero(rivals & np.isin(track.face_index, shown))
    return int(offered[np.argmax(side_px(track.face_xyxy_px[offered]))]) if len(offered) else None


def _pictures(frames: Path, video: Path | None, numbers: Iterable[int], num_frames: int) -> dict[int, np.ndarray]:
    """The pictures of some frames, by their 1-based number."""
    if video is not None:
        wanted = set(numbers)
        return {frame.number: frame.rgb for frame in read_frames(video, num_frames) if frame.number in wanted}
    pictures = {}
    for number in numbers:
        jpegs = _jpegs(frames, number)
        if not jpegs:
            raise InputError(f"{frames} lacks frame {number}", "delete it and run the workflow again")
        pictures[number] = _decode(jpegs[0])
    return pictures


def _jpegs(path: Path, number: int) -> list[bytes]:
    """The JPEGs of one frame in the file's order, from the row groups that hold it and no others."""
    return read_parquet(path, columns=["jpeg"], filters=[("frame", "==", number)])["jpeg"].to_pylist()


def _decode(jpeg: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(jpeg)) as opened:
        return np.asarray(opened.convert("RGB"))


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        track, source = f"{job.wildcards.track}.parquet", f"{job.params.source}.parquet"
        run(
            subject=Path(job.input.subjects) / track,
            faces=Path(job.input.faces) / source,
            timeline=Path(job.input.timelines) / source,
            frames=Path(job.input.frames) / source,
            crops=Path(job.input.crops) / track,
            video=Path(job.input.video) if job.input.video else None,
            sheet=Path(job.output.sheet),
            figures=Path(job.output.figures),
            settings=ContactSheetSettings(**job.params.contact_sheets),
        )
