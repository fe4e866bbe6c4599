"""Predictions drawn on a frame: face boxes with labels, and a panel with all probabilities below the frame.

Shapes: H, W of a frame, C classes. Frames are uint8 [H, W, 3], RGB, upright.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw, ImageFont

from frame_expressions.artifacts.vocabulary import (
    ABSENT,
    EXPRESSIONS,
    INTERPOLATED,
    NEAREST_FEATURE,
    NEAREST_FRAME,
    NOTHING,
)

NOTICE_PX = (640, 360)
_BACKGROUND, _TEXT, _TRACK = (24, 26, 30), (235, 235, 235), (60, 64, 72)


@dataclass(frozen=True)
class Shown:
    """One person in one frame.

    person: 1-based number. xyxy_px: the face's box, None where absent. face: its status. predicted_from: one of
    SOURCES. expression: after smoothing. probabilities: [C], before smoothing. Without a prediction, these are None and
    NaN.
    """

    person: int
    xyxy_px: tuple[float, float, float, float] | None
    face: str
    predicted_from: str
    expression: str | None
    probabilities: np.ndarray


class Overlay:
    """Draws frames of one size: uint8 [H, W, 3] -> uint8 [H + panel, W, 3], both sides even."""

    def __init__(self, width_px: int, height_px: int, colours: Sequence[tuple[int, int, int]]):
        self._size_px = (width_px + width_px % 2, height_px)
        self._colour_of = dict(zip(EXPRESSIONS, colours, strict=True))
        self._columns = next(count for count in (8, 4, 2, 1) if width_px >= 80 * count or count == 1)
        self._rows = len(EXPRESSIONS) // self._columns
        self._cell_px = width_px / self._columns
        text_px = int(np.clip(self._cell_px / 7, 9, 24))
        self._font = ImageFont.load_default(text_px)
        self._row_px = round(2.4 * text_px)
        self._caption_px = round(1.6 * text_px)
        panel_px = self._caption_px + self._row_px * self._rows + text_px // 2
        self._panel_px = panel_px + (height_px + panel_px) % 2
        self._line_px = max(2, round(height_px / 200))

    def draw(self, rgb: np.ndarray, persons: Sequence[Shown]) -> np.ndarray:
        """Draw every person's box on the frame, and below it the panel of the first person whose face is there.

        If nobody's is, the panel is the first person's.
        """
        canvas = Image.new("RGB", (self._size_px[0], self._size_px[1] + self._panel_px), _BACKGROUND)
        canvas.paste(Image.fromarray(rgb))
        pen = ImageDraw.Draw(canvas)
        for shown in reversed(persons):  # the first person's box on top
            if shown.xyxy_px is not None:
                self._draw_box(pen, shown, with_number=len(persons) > 1)
        if persons:
            seen = [shown for shown in persons if shown.xyxy_px is not None]
            self._draw_panel(pen, (seen or persons)[0], with_number=len(persons) > 1)
        return np.asarray(canvas)

    def _draw_box(self, pen: ImageDraw.ImageDraw, shown: Shown, with_number: bool) -> None:
        colour = self._colour_of[shown.expression]
        x1, y1, x2, y2 = shown.xyxy_px
        width_px, height_px = self._size_px
        # A box may extend past the frame; its outline is then drawn along the frame's edge.
        corners = [np.clip(x1, 0, width_px - 1), np.clip(y1, 0, height_px - 1)]
        corners += [max(corners[0], min(x2, width_px - 1)), max(corners[1], min(y2, height_px - 1))]
        pen.rectangle(corners, outline=colour, width=self._line_px)
        text = shown.expression if not with_number else f"{shown.person} {shown.expression}"
        if shown.face == INTERPOLATED:
            text += " (interpolated)"
        left, top, right, bottom = pen.textbbox((0, 0), text, font=self._font)
        pad_px = self._line_px
        x = float(np.clip(corners[0], 0, max(0, width_px - (right - left) - 2 * pad_px)))
        y = max(0.0, corners[1] - (bottom - top) - 3 * pad_px)
        pen.rectangle([x, y, x + right - left + 2 * pad_px, y + bottom - top + 2 * pad_px], fill=colour)
        pen.text((x + pad_px - left, y + pad_px - top), text, font=self._font, fill=_ink_on(colour))

    def _draw_panel(self, pen: ImageDraw.ImageDraw, shown: Shown, with_number: bool) -> None:
        """One bar per expression; the name of the smoothed expression is highlighted while the face is there."""
        gap_px = max(3, self._cell_px / 20)
        caption = [f"person {shown.person}"] if with_number else []
        caption += _caption(shown)
        pen.text((gap_px, self._size_px[1] + gap_px / 2), ", ".join(caption), font=self._font, fill=_TEXT)
        label = None if shown.xyxy_px is None else shown.expression
        top_px = self._size_px[1] + self._caption_px
        for number, (name, probability) in enumerate(zip(EXPRESSIONS, shown.probabilities, strict=True)):
            row, column = divmod(number, self._columns)
            x, y = column * self._cell_px + gap_px, top_px + row * self._row_px + gap_px / 2
            length_px = self._cell_px - 2 * gap_px
            if name == label:
                left, top, right, bottom = pen.textbbox((x, y), name, font=self._font)
                pen.rectangle([left - 3, top - 2, right + 3, bottom + 2], fill=self._colour_of[name])
            ink = _ink_on(self._colour_of[name]) if name == label else _TEXT
            pen.text((x, y), name, font=self._font, fill=ink)
            top, bottom = y + 0.62 * self._row_px, y + 0.82 * self._row_px
            pen.rectangle([x, top, x + length_px, bottom], fill=_TRACK)
            if probability * length_px >= 1:
                pen.rectangle([x, top, x + float(probability) * length_px, bottom], fill=self._colour_of[name])


def _caption(shown: Shown) -> list[str]:
    """What the panel shows: after smoothing, the label may differ from the longest bar."""
    if shown.predicted_from == NOTHING:
        return ["no face, no audio: no prediction"]
    bars = _BARS.get(shown.predicted_from, "bars: this frame alone")
    if shown.xyxy_px is not None:
        return [f"smoothed: {shown.expression}", bars]
    source = _WITHOUT_FACE.get(shown.predicted_from, "the audio")
    return [f"no face, {shown.expression} from {source}", bars]


_BARS = {
    NEAREST_FRAME: "bars: the nearest frame with face and audio",
    NEAREST_FEATURE: "bars: this frame, completed from the nearest",
}
_WITHOUT_FACE = {NEAREST_FRAME: "the nearest complete frame", NEAREST_FEATURE: "the audio and the nearest face"}


def _ink_on(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black on light colours, white on dark ones."""
    red, green, blue = colour
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else (255, 255, 255)


def persons_by_frame(table: pa.Table) -> dict[int, list[Shown]]:
    """The people to draw in each frame (1-based), in order of their numbers, from the table of a video."""
    found: dict[int, list[Shown]] = {}
    for row in table.to_pylist():
        xyxy_px = None if row["face"] == ABSENT else tuple(row[edge] for edge in ("x1_px", "y1_px", "x2_px", "y2_px"))
        probabilities = np.array([row[f"p_{name}"] for name in EXPRESSIONS], float)
        shown = Shown(row["person"], xyxy_px, row["face"], row["predicted_from"], row["expression"], probabilities)
        found.setdefault(row["frame"], []).append(shown)
    return found


def resize_to(size_px: tuple[int, int], rgb: np.ndarray, persons: list[Shown]) -> tuple[np.ndarray, list[Shown]]:
    """Fit a frame and its boxes into a width and height: a stream may change its size, an overlay video may not.

    The frame keeps its shape; bars of the background fill the rest.
    """
    stored_px = rgb.shape[1::-1]
    if stored_px == size_px:
        return rgb, persons
    scale = min(np.divide(size_px, stored_px))
    inside_px = [max(1, round(scale * side)) for side in stored_px]
    corner_px = [(side - inside) // 2 for side, inside in zip(size_px, inside_px, strict=True)]
    factor, offset_px = np.tile(np.divide(inside_px, stored_px), 2), np.tile(corner_px, 2)
    boxes = [None if one.xyxy_px is None else tuple((one.xyxy_px * factor + offset_px).tolist()) for one in persons]
    moved = [replace(shown, xyxy_px=box) for shown, box in zip(persons, boxes, strict=True)]
    canvas = Image.new("RGB", size_px, _BACKGROUND)
    canvas.paste(Image.fromarray(rgb).resize(inside_px), tuple(corner_px))
    return np.asarray(canvas), moved


def draw_notice(text: str) -> np.ndarray:
    """A frame of NOTICE_PX that shows a few lines of text; long lines are broken."""
    canvas = Image.new("RGB", NOTICE_PX, _BACKGROUND)
    font, pen = ImageFont.load_default(18), ImageDraw.Draw(canvas)
    num_characters = int((NOTICE_PX[0] - 40) / pen.textlength("m" * 10, font=font) * 10)
    lines = [part for line in text.splitlines() for part in textwrap.wrap(line, num_characters)]
    pen.multiline_text((20, 20), "\n".join(lines), font=font, fill=_TEXT)
    return np.asarray(canvas)
