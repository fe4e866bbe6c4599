"""Draws a contact sheet: one image that shows at a glance which person was chosen throughout a track.

From top to bottom: a title, statistics, a strip of the whole track, and rows of cells, one for each frame shown.
Images are uint8 [H, W, 3], RGB. Each status has a colour that colour-blind people can distinguish, a line style and a
word.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from frame_expressions.artifacts.vocabulary import ABSENT, DETECTED, INTERPOLATED

# Okabe and Ito's colours: https://jfly.uni-koeln.de/color/
BLACK, WHITE, GREY, PALE = (0, 0, 0), (255, 255, 255), (150, 150, 150), (236, 236, 236)
STATUS_COLOUR = {DETECTED: (0, 158, 115), INTERPOLATED: (230, 159, 0), ABSENT: BLACK}
STATUS_HEIGHT = {DETECTED: 1.0, INTERPOLATED: 0.5, ABSENT: 0.0}  # share of the strip's height
PERSON_COLOURS = ((86, 180, 233), (213, 94, 0), (240, 228, 66), (0, 114, 178), (204, 121, 167))
OTHER_COLOUR = (204, 121, 167)
COLUMNS, GAP_PX, TEXT_PX, LINE_PX = 4, 12, 15, 20
LABEL_PX = 90  # width of the labels left of the strip
STRIP_PX = 16
DASH_PX = 8
NOBODY = -1
"""The person number of a frame in which nobody was chosen."""


@dataclass(frozen=True)
class Cell:
    """One frame of a track.

    number: 1-based. rgb: the frame, scaled to any size. frame_size_px: width and height of the full upright frame;
    boxes are in its pixels. xyxy_px: the chosen box [4], None where absent. person: number of the chosen person.
    faces_xyxy_px: all faces found in the frame [F, 4]. other_px: the one of them to mark with an A. crops: the crops of
    the chosen box. note: the reason why the frame is shown.
    """

    number: int
    time_s: float
    status: str
    rgb: np.ndarray
    frame_size_px: tuple[int, int]
    xyxy_px: np.ndarray | None = None
    person: int | None = None
    faces_xyxy_px: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    other_px: np.ndarray | None = None
    crops: Sequence[np.ndarray] = ()
    note: str = ""


@dataclass(frozen=True)
class Strip:
    """The whole track, T frames: status [T], person int [T] (`NOBODY` where absent), rival bool [T].

    shown: 0-based indices of the frames that have a cell, int.
    """

    status: np.ndarray
    person: np.ndarray
    rival: np.ndarray
    shown: np.ndarray


def draw_sheet(
    title: str, lines: Sequence[str], strip: Strip, rows: Sequence[tuple[str, Sequence[Cell]]], frame_width_px: int
) -> np.ndarray:
    """Draw the sheet of one track.

    lines: statistics below the title. rows: headings, each with its cells, `COLUMNS` per row. frame_width_px: maximum
    width of a frame; its height is at most three quarters of that. A track without frames has neither strip nor rows.
    """
    blocks = [_text(title, TEXT_PX + 9), *(_text(line, TEXT_PX) for line in lines)]
    width_px = COLUMNS * (frame_width_px + GAP_PX) - GAP_PX
    if len(strip.status):
        blocks.append(_strip(strip, width_px))
    for heading, cells in rows:
        blocks.append(_text(heading, TEXT_PX))
        for start in range(0, len(cells), COLUMNS):
            blocks.append(_row(cells[start : start + COLUMNS], frame_width_px))
    return np.asarray(_stack(blocks, max(width_px, *(block.width for block in blocks))))


def _stack(blocks: Sequence[Image.Image], width_px: int) -> Image.Image:
    """The blocks stacked vertically on white, with a gap around and between them."""
    height_px = sum(block.height + GAP_PX for block in blocks) + GAP_PX
    sheet = Image.new("RGB", (width_px + 2 * GAP_PX, height_px), WHITE)
    top = GAP_PX
    for block in blocks:
        sheet.paste(block, (GAP_PX, top))
        top += block.height + GAP_PX
    return sheet


def _row(cells: Sequence[Cell], frame_width_px: int) -> Image.Image:
    """Cells side by side, with their crops aligned."""
    frames = [_frame(cell, frame_width_px) for cell in cells]
    notes_px = LINE_PX if any(cell.note for cell in cells) else 0
    frame_top = notes_px + LINE_PX + GAP_PX // 2
    below_px = frame_top + max(frame.height for frame in frames) + GAP_PX // 2
    num_crops = max((len(cell.crops) for cell in cells), default=0)
    crop_px = min(frame_width_px // 3, frame_width_px // num_crops) - GAP_PX // 2 if num_crops else 0
    row = Image.new("RGB", (COLUMNS * (frame_width_px + GAP_PX), below_px + max(crop_px, LINE_PX)), WHITE)
    draw = ImageDraw.Draw(row)
    for column, (cell, frame) in enumerate(zip(cells, frames, strict=True)):
        left = column * (frame_width_px + GAP_PX)
        draw.text((left, 0), cell.note, BLACK, _font(TEXT_PX))
        chip_px = _chip(draw, (left, notes_px), cell.status.upper(), STATUS_COLOUR[cell.status])
        who = "" if cell.person is None else f"person {cell.person}"
        words = f"{cell.number}   {cell.time_s:.2f} s   {who}"
        draw.text((left + chip_px + 8, notes_px), words, BLACK, _font(TEXT_PX))
        row.paste(frame, (left, frame_top))
        if not cell.crops:
            draw.text((left, below_px), "no crop", GREY, _font(TEXT_PX))
        for place, crop in enumerate(cell.crops):
            small = Image.fromarray(crop).resize((crop_px, crop_px), Image.Resampling.LANCZOS)
            row.paste(small, (left + place * (crop_px + GAP_PX // 2), below_px))
    return row


def _frame(cell: Cell, frame_width_px: int) -> Image.Image:
    """The frame with its boxes."""
    frame_px = np.array(cell.frame_size_px)
    scale = min(frame_width_px / frame_px[0], 0.75 * frame_width_px / frame_px[1])
    size_px = tuple(int(side) for side in np.maximum(1, np.round(frame_px * scale)))
    image = Image.fromarray(cell.rgb).resize(size_px, Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(image)
    corners = np.tile(np.array(size_px) / frame_px, 2)
    for box in cell.faces_xyxy_px:
        draw.rectangle(_whole(box * corners), outline=BLACK, width=3)  # grey alone is invisible on a grey wall
        draw.rectangle(_whole(box * corners, 1), outline=(200, 200, 200), width=1)
    if cell.other_px is not None:
        left, top, *_ = _whole(cell.other_px * corners)
        _chip(draw, (max(0, left), max(0, top - LINE_PX)), "A", OTHER_COLOUR)
    if cell.xyxy_px is not None:
        box, colour = _whole(cell.xyxy_px * corners), STATUS_COLOUR[cell.status]
        if cell.status == INTERPOLATED:
            draw.rectangle(box, outline=BLACK, width=4)
            _dashes(draw, box, colour)
        else:
            draw.rectangle(_whole(cell.xyxy_px * corners, -1), outline=BLACK, width=1)
            draw.rectangle(box, outline=colour, width=4)
    if cell.status == ABSENT:
        draw.rectangle((0, 0, size_px[0] - 1, size_px[1] - 1), outline=BLACK, width=5)
        _chip(draw, (0, 0), "nobody chosen", BLACK)
    return image


def _dashes(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], colour: tuple[int, int, int]) -> None:
    left, top, right, bottom = box
    for start in range(left, right, 2 * DASH_PX):
        for y in (top, bottom - 3):
            draw.rectangle((start, y, min(start + DASH_PX, right), y + 3), fill=colour)
    for start in range(top, bottom, 2 * DASH_PX):
        for x in (left, right - 3):
            draw.rectangle((x, start, x + 3, min(start + DASH_PX, bottom)), fill=colour)


def _strip(strip: Strip, width_px: int) -> Image.Image:
    """Status, person and rivals over the whole track, from left to right, with a mark at each frame that has a cell."""
    image = Image.new("RGB", (width_px, 4 * (STRIP_PX + 4)), WHITE)
    draw = ImageDraw.Draw(image)
    columns, num_frames = width_px - LABEL_PX, len(strip.status)
    starts = np.arange(columns) * num_frames // columns
    # A column of pixels shows the worst of the frames that share it.
    worst = np.maximum.reduceat([1 - STATUS_HEIGHT[status] for status in strip.status], starts)
    rival = np.maximum.reduceat(np.asarray(strip.rival, int), starts)
    person = np.asarray(strip.person)[starts]
    for row, label in enumerate(("status", "person", "other face", "shown")):
        top = row * (STRIP_PX + 4)
        draw.text((0, top - 2), label, BLACK, _font(TEXT_PX))
        if label != "shown":
            draw.rectangle((LABEL_PX, top, width_px - 1, top + STRIP_PX), fill=PALE)
    status_of = {1 - height: status for status, height in STATUS_HEIGHT.items()}
    for column in range(columns):
        x = LABEL_PX + column
        status = status_of[worst[column]]
        height_px = round(STRIP_PX * STATUS_HEIGHT[status])
        if height_px:
            draw.line((x, STRIP_PX - height_px, x, STRIP_PX), STATUS_COLOUR[status])
        if person[column] != NOBODY:
            colour = PERSON_COLOURS[person[column] % len(PERSON_COLOURS)]
            draw.line((x, STRIP_PX + 4, x, 2 * STRIP_PX + 4), colour)
        if rival[column]:
            draw.line((x, 2 * (STRIP_PX + 4) + STRIP_PX // 4, x, 3 * STRIP_PX + 8), OTHER_COLOUR)
    for start, number in _runs(person):
        if number != NOBODY:
            _chip(draw, (LABEL_PX + start, STRIP_PX + 4), str(number), BLACK, STRIP_PX)
    for frame in strip.shown:
        x = LABEL_PX + (2 * int(frame) + 1) * columns // (2 * num_frames)
        top = 3 * (STRIP_PX + 4)
        draw.polygon([(x, top), (x - 5, top + 10), (x + 5, top + 10)], fill=BLACK)
    return image


def _runs(values: np.ndarray) -> list[tuple[int, int]]:
    """Start and value of each run of equal values that is long enough for a label."""
    starts = np.flatnonzero(np.diff(values, prepend=values[0] - 1))
    lengths = np.diff(np.append(starts, len(values)))
    return [(int(start), int(values[start])) for start in starts[lengths >= 2 * STRIP_PX]]


def _chip(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    words: str,
    colour: tuple[int, int, int],
    height_px: int = LINE_PX,
) -> int:
    """Draw text on a coloured rectangle, in white or black for contrast; return the rectangle's width in px."""
    font = _font(TEXT_PX * height_px // LINE_PX)
    width_px = round(draw.textlength(words, font)) + 8
    left, top = corner
    draw.rectangle((left, top, left + width_px, top + height_px), fill=colour)
    draw.text((left + 4, top), words, WHITE if sum(colour) < 384 else BLACK, font)
    return width_px


def _text(words: str, size_px: int) -> Image.Image:
    font = _font(size_px)
    image = Image.new("RGB", (max(1, round(font.getlength(words))), round(1.3 * size_px)), WHITE)
    ImageDraw.Draw(image).text((0, 0), words, BLACK, font)
    return image


def _font(size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size_px)


def _whole(box: np.ndarray, inset_px: int = 0) -> tuple[int, int, int, int]:
    """The box in whole pixels, each side moved inwards by `inset_px`; an inverted box becomes a point."""
    left, top, right, bottom = (round(float(value)) for value in box)
    left, top, right, bottom = left + inset_px, top + inset_px, right - inset_px, bottom - inset_px
    return left, top, max(left, right), max(top, bottom)
