"""What a person sees of a prediction, drawn on a frame: boxes with labels, and all probabilities below the picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.faces.subject import INTERPOLATED

_BACKGROUND, _TEXT, _TRACK = (24, 26, 30), (235, 235, 235), (60, 64, 72)


@dataclass(frozen=True)
class Shown:
    """One person in one frame: number, box (x1, y1, x2, y2 in px, None where absent), face status, smoothed
    expression, and probabilities [C]."""

    person: int
    xyxy_px: tuple[float, float, float, float] | None
    face: str
    expression: str
    probabilities: np.ndarray


class Overlay:
    """Draws frames of one size: uint8 [H, W, 3] -> uint8 [H + panel, W], both sides even."""

    def __init__(self, width_px: int, height_px: int, colours: Sequence[tuple[int, int, int]]):
        self._size_px = (width_px + width_px % 2, height_px)
        self._colour_of = dict(zip(EXPRESSIONS, colours, strict=True))
        self._columns = next(count for count in (8, 4, 2, 1) if width_px >= 80 * count or count == 1)
        self._rows = len(EXPRESSIONS) // self._columns
        self._cell_px = width_px / self._columns
        text_px = int(np.clip(self._cell_px / 7, 9, 24))
        self._font = ImageFont.load_default(text_px)
        self._row_px = round(2.4 * text_px)
        panel_px = self._row_px * self._rows + text_px // 2
        self._panel_px = panel_px + (height_px + panel_px) % 2
        self._line_px = max(2, round(height_px / 200))

    def draw(self, rgb: np.ndarray, persons: Sequence[Shown]) -> np.ndarray:
        """The frame with every person's box, and the panel of the first person."""
        canvas = Image.new("RGB", (self._size_px[0], self._size_px[1] + self._panel_px), _BACKGROUND)
        canvas.paste(Image.fromarray(rgb))
        pen = ImageDraw.Draw(canvas)
        for shown in reversed(persons):  # the first person's on top
            if shown.xyxy_px is not None:
                self._draw_box(pen, shown, with_number=len(persons) > 1)
        if persons:
            self._draw_panel(pen, persons[0])
        return np.asarray(canvas)

    def _draw_box(self, pen: ImageDraw.ImageDraw, shown: Shown, with_number: bool) -> None:
        colour = self._colour_of[shown.expression]
        x1, y1, x2, y2 = shown.xyxy_px
        width_px, height_px = self._size_px
        # A box may reach past the frame; its line shall be seen where it leaves it.
        corners = [np.clip(x1, 0, width_px - 1), np.clip(y1, 0, height_px - 1)]
        corners += [max(corners[0], min(x2, width_px - 1)), max(corners[1], min(y2, height_px - 1))]
        pen.rectangle(corners, outline=colour, width=self._line_px)
        text = shown.expression if not with_number else f"{shown.person} {shown.expression}"
        if shown.face == INTERPOLATED:
            text += " (between sightings)"
        left, top, right, bottom = pen.textbbox((0, 0), text, font=self._font)
        pad_px = self._line_px
        x = float(np.clip(corners[0], 0, max(0, width_px - (right - left) - 2 * pad_px)))
        y = max(0.0, corners[1] - (bottom - top) - 3 * pad_px)
        pen.rectangle([x, y, x + right - left + 2 * pad_px, y + bottom - top + 2 * pad_px], fill=colour)
        pen.text((x + pad_px - left, y + pad_px - top), text, font=self._font, fill=_ink_on(colour))

    def _draw_panel(self, pen: ImageDraw.ImageDraw, shown: Shown) -> None:
        """One bar for each expression; the smoothed one's name stands out."""
        gap_px = max(3, self._cell_px / 20)
        for number, (name, probability) in enumerate(zip(EXPRESSIONS, shown.probabilities, strict=True)):
            row, column = divmod(number, self._columns)
            x, y = column * self._cell_px + gap_px, self._size_px[1] + row * self._row_px + gap_px / 2
            length_px = self._cell_px - 2 * gap_px
            if name == shown.expression:
                left, top, right, bottom = pen.textbbox((x, y), name, font=self._font)
                pen.rectangle([left - 3, top - 2, right + 3, bottom + 2], fill=self._colour_of[name])
            ink = _ink_on(self._colour_of[name]) if name == shown.expression else _TEXT
            pen.text((x, y), name, font=self._font, fill=ink)
            top, bottom = y + 0.62 * self._row_px, y + 0.82 * self._row_px
            pen.rectangle([x, top, x + length_px, bottom], fill=_TRACK)
            if probability * length_px >= 1:
                pen.rectangle([x, top, x + float(probability) * length_px, bottom], fill=self._colour_of[name])


def _ink_on(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black on light colours, white on dark ones."""
    red, green, blue = colour
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else (255, 255, 255)
