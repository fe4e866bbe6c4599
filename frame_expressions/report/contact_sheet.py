"""Composes a track's contact sheet: chooses the frames that show whether the right person was chosen.

Shapes: T frames of the track, F faces of the whole video. Frame indices are 0-based here, frame numbers are 1-based.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from frame_expressions.faces.doubt import Doubt, are_rivals, doubt_of, evenly_spaced, side_px
from frame_expressions.report.sheet_drawing import Cell, Strip, draw_sheet


@dataclass(frozen=True)
class ContactSheetSettings:
    """The block `contact_sheets` of the configuration.

    num_frames: number of evenly spaced frames on a sheet. num_changes: number of switches to another person and jumps
    of the box, the first ones, each shown by the frames before and after it. frame_width_px: maximum width of a frame;
    its height is at most three quarters of that. jpeg_quality: 1 to 100.
    """

    num_frames: int
    num_changes: int
    frame_width_px: int
    jpeg_quality: int


@dataclass(frozen=True)
class SheetTrack:
    """A track's chosen boxes and all faces of its video; arrays as for `doubt_of`.

    person is `NOBODY` where absent. size_px: int [T, 2], width and height of the upright frame.
    """

    time_s: np.ndarray
    status: np.ndarray
    person: np.ndarray
    xyxy_px: np.ndarray
    face_index: np.ndarray
    face_xyxy_px: np.ndarray
    size_px: np.ndarray

    def __len__(self) -> int:
        return len(self.time_s)

    def is_absent(self, index: int) -> bool:
        """Whether nobody was chosen in a frame."""
        return bool(np.isnan(self.xyxy_px[index, 0]))


class ContactSheet:
    """Chooses the frames of a track first, so that only these need to be decoded; then draws the sheet.

    doubt: the track's statistics. shown: indices of all frames on the sheet, ascending. other: the row [F] of the face
    marked with an A, the largest face of similar size in these frames that was not chosen, or None.
    """

    def __init__(self, track: SheetTrack, settings: ContactSheetSettings):
        self._track, self._settings = track, settings
        self.doubt = doubt_of(
            track.time_s, track.xyxy_px, track.status, track.person, track.face_index, track.face_xyxy_px
        )
        self._spaced = evenly_spaced(len(track), settings.num_frames).tolist()
        changes = _changes(self.doubt)
        self._num_changes, self._changes = len(changes), changes[: settings.num_changes]
        self.shown = sorted({*self._spaced, *(index for _, *ends in self._changes for index in ends)})
        self.other = _other_face(track, self.shown)

    def draw(
        self, title: str, frames: Mapping[int, np.ndarray], crops: Mapping[int, Sequence[np.ndarray]]
    ) -> np.ndarray:
        """The sheet, uint8 [H, W, 3], RGB. frames, crops: images by the index of each frame shown, crops if any."""
        track = self._track
        strip = Strip(track.status, track.person, self.doubt.rival, np.array(self.shown))
        rows = self._rows(frames, crops)
        return draw_sheet(title, describe(self.doubt), strip, rows, self._settings.frame_width_px)

    def _rows(
        self, frames: Mapping[int, np.ndarray], crops: Mapping[int, Sequence[np.ndarray]]
    ) -> list[tuple[str, list[Cell]]]:
        def cell(index: int, note: str = "") -> Cell:
            return self._cell(index, frames[index], crops.get(index, ()), note)

        rows = []
        if self._spaced:
            heading = f"Evenly spaced frames: {len(self._spaced)} of {len(self._track)}"
            rows.append((heading, [cell(index) for index in self._spaced]))
        if self._changes:
            pairs = [
                cell(index, f"{kind} {place}, {side}")
                for place, (kind, *ends) in enumerate(self._changes, start=1)
                for side, index in zip(("before", "after"), ends, strict=True)
            ]
            heading = f"Switches to another person and jumps of the box: {len(pairs) // 2} of {self._num_changes}"
            rows.append((heading, pairs))
        return rows

    def _cell(self, index: int, rgb: np.ndarray, crops: Sequence[np.ndarray], note: str) -> Cell:
        track = self._track
        faces = np.flatnonzero(track.face_index == index)
        absent = track.is_absent(index)
        return Cell(
            number=index + 1,
            time_s=float(track.time_s[index]),
            status=track.status[index],
            rgb=rgb,
            frame_size_px=tuple(track.size_px[index].tolist()),
            xyxy_px=None if absent else track.xyxy_px[index],
            person=None if absent else int(track.person[index]),
            faces_xyxy_px=track.face_xyxy_px[faces],
            other_px=track.face_xyxy_px[self.other] if self.other in faces else None,
            crops=crops,
            note=note,
        )


def describe(doubt: Doubt) -> list[str]:
    """A track's statistics as lines of text."""
    if doubt.num_frames == 0:
        return ["no frames: the video was skipped"]
    size = "nobody was ever chosen" if doubt.median_side_px is None else f"face {doubt.median_side_px:.0f} px"
    return [
        f"{doubt.num_frames} frames:  detected {doubt.detected_share:.1%}  |  interpolated "
        f"{doubt.interpolated_share:.1%}  |  absent {doubt.absent_share:.1%}  |  {size}",
        f"switches to another person: {len(doubt.switches)}  |  jumps of the box: {len(doubt.jumps)}  |  "
        f"another face of similar size in {doubt.rival_share:.1%} of the frames  |  doubt {doubt.doubt:.3f}",
    ]


def _changes(doubt: Doubt) -> list[tuple[str, int, int]]:
    """All switches and jumps by time: the kind, and the frames before and after."""
    kinds = (("switch", doubt.switches), ("jump", doubt.jumps))
    return sorted(((kind, *ends) for kind, pairs in kinds for ends in pairs.tolist()), key=lambda change: change[2])


def _other_face(track: SheetTrack, shown: list[int]) -> int | None:
    """The largest face of similar size in the frames shown that was not chosen: perhaps the right one."""
    rivals = are_rivals(track.xyxy_px, track.face_index, track.face_xyxy_px)
    offered = np.flatnonzero(rivals & np.isin(track.face_index, shown))
    return int(offered[np.argmax(side_px(track.face_xyxy_px[offered]))]) if len(offered) else None
