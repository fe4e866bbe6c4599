"""Contact sheets: what is drawn where."""

import numpy as np
import pytest

from frame_expressions.report.sheet_drawing import COLUMNS, GAP_PX, LABEL_PX, STATUS_COLOUR, Cell, Strip, draw_sheet

FRAME_PX = 100
GREEN, ORANGE = STATUS_COLOUR["detected"], STATUS_COLOUR["interpolated"]
MAGENTA, PAPER = (250, 0, 250), (90, 92, 95)  # no colour of words


def draw(cells=(), lines=("figures",), status=(), person=None, rival=None, shown=(), frame_width_px=FRAME_PX):
    strip = Strip(
        status=np.array(status, object),
        person=np.array(person if person is not None else [0] * len(status), int),
        rival=np.array(rival if rival is not None else [False] * len(status), bool),
        shown=np.array(shown, int),
    )
    return draw_sheet("title", lines, strip, [("heading", cells)] if cells else [], frame_width_px)


def cell(status="detected", box=(100, 50, 200, 150), size=(400, 300), **more):
    paper = np.full((75, 100, 3), PAPER, np.uint8)  # a thumbnail of a 400 x 300 frame
    box = None if status == "absent" else np.array(box, float)
    return Cell(number=7, time_s=0.5, status=status, rgb=paper, frame_size_px=size, xyxy_px=box, **more)


def where(sheet, colour):
    """Extent of a colour: left, top, right, bottom, None where it is nowhere."""
    rows, columns = np.nonzero((sheet == colour).all(axis=2))
    return (columns.min(), rows.min(), columns.max(), rows.max()) if len(rows) else None


def count(sheet, colour):
    return int((sheet == colour).all(axis=2).sum())


def only_frames(sheet):
    """The part of the sheet with the frame and what is below it, without the text above and its coloured fields."""
    bottom = where(sheet, PAPER)[3]
    return sheet[bottom - 74 :]


def test_boxes_are_scaled_from_the_full_frame_to_the_shown_frame():
    frame = only_frames(draw([cell()]))
    left, top, right, bottom = where(frame, GREEN)
    # 400 px become 100: the box's left edge is at 25, its top at 12.5, and it is 25 px wide and high.
    assert [left - GAP_PX, top, right - GAP_PX, bottom] == pytest.approx([25, 12.5, 50, 37.5], abs=1)


def test_a_box_past_the_edge_and_an_inverted_one_are_drawn_as_far_as_they_can():
    past = only_frames(draw([cell(box=(-60, 100, 40, 200))]))
    assert where(past, GREEN)[0] == GAP_PX  # nothing is drawn left of the frame
    draw([cell(box=(50, 50, 50, 50)), cell(box=(60, 60, 50, 50))])


def test_status_shows_in_colour_line_and_word():
    detected, interpolated, absent = (draw([cell(status)]) for status in ("detected", "interpolated", "absent"))
    assert count(only_frames(detected), GREEN) > 1.4 * count(only_frames(interpolated), ORANGE) > 0  # dashes
    assert not count(detected, ORANGE) and not count(interpolated, GREEN)
    assert not count(only_frames(absent), GREEN) and not count(only_frames(absent), ORANGE)
    bottom = where(absent, PAPER)[3]
    assert (absent[bottom + 1 : bottom + 6, GAP_PX : GAP_PX + FRAME_PX] == 0).all()  # a black frame


def test_other_faces_are_thin_and_the_offered_one_is_marked():
    others = np.array([[300, 200, 340, 260], [20, 200, 60, 260]], float)
    plain = draw([cell(faces_xyxy_px=others)])
    marked = draw([cell(faces_xyxy_px=others, other_px=others[0])])
    assert not (plain == draw([cell()])).all()
    changed = np.argwhere((plain != marked).any(axis=2))
    assert changed.size and (changed[:, 1] - GAP_PX >= 70).all()  # about the first of the two only


def test_crops_lie_below_their_frame_in_order():
    crops = [np.full((8, 8, 3), colour, np.uint8) for colour in (MAGENTA, (0, 250, 250), (250, 250, 0))]
    sheet = draw([cell(), cell(crops=crops)])
    extents = [where(sheet, tuple(crop[0, 0])) for crop in crops]
    frame = where(sheet, PAPER)
    lefts = [extent[0] for extent in extents]
    assert lefts == sorted(lefts) and lefts[0] == GAP_PX + FRAME_PX + GAP_PX
    assert all(extent[1] > frame[3] for extent in extents)
    assert extents[2][2] < GAP_PX + 2 * (FRAME_PX + GAP_PX)


def test_the_strip_shows_the_worst_of_frames_that_share_a_column():
    columns = COLUMNS * (FRAME_PX + GAP_PX) - GAP_PX - LABEL_PX
    status = ["detected"] * (50 * columns)
    status[25 * columns] = "absent"  # one frame in the middle of fifty per column
    whole = draw(status=["detected"] * len(status))
    gap = draw(status=status)
    changed = np.argwhere((whole != gap).any(axis=2))
    assert set(changed[:, 1]) == {GAP_PX + LABEL_PX + columns // 2}


def test_the_strip_of_few_frames_fills_its_width():
    sheet = draw(status=["detected", "interpolated", "absent"], person=[0, 0, -1], rival=[True, False, False])
    green, orange = where(sheet, GREEN), where(sheet, ORANGE)
    third = (COLUMNS * (FRAME_PX + GAP_PX) - GAP_PX - LABEL_PX) / 3
    assert green[2] - green[0] == pytest.approx(third, abs=2) == orange[2] - orange[0]
    assert orange[0] == green[2] + 1
    assert orange[1] > green[1]  # half as high: told apart without colour


def test_rows_hold_four_cells_and_sheets_repeat():
    four, five = draw([cell()] * 4), draw([cell()] * 5)
    assert four.shape[1] == five.shape[1] and five.shape[0] > four.shape[0]
    assert four.dtype == np.uint8 and (draw([cell()] * 4) == four).all()


def test_a_tall_frame_keeps_its_shape_and_a_long_line_its_end():
    tall = cell(size=(90, 160))
    extent = where(draw([tall]), PAPER)
    assert extent[3] - extent[1] + 1 <= 0.75 * FRAME_PX and extent[2] - extent[0] < 0.6 * FRAME_PX
    assert draw(lines=["words " * 200]).shape[1] > 5000


def test_a_track_without_frames_is_only_words():
    sheet = draw(lines=["no frames"])
    assert sheet.shape[0] < 120 and (sheet == 0).any()
