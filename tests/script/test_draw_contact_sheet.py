"""draw_contact_sheet on artifacts made by hand."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from frame_expressions.artifacts.parquet import write_parquet, write_rows
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import CROPS, FACES, FRAMES, SUBJECT, TIMELINE
from frame_expressions.report import contact_sheet
from frame_expressions.report.contact_sheet import ContactSheetSettings
from frame_expressions.runtime.errors import InputError
from tests.media import make_video
from workflow_scripts.draw_contact_sheet import run

BOX, OTHER = [10.0, 10.0, 30.0, 30.0], [40.0, 10.0, 60.0, 30.0]
SETTINGS = {"person": "auto", "overrides": []}


@pytest.fixture
def sheet(tmp_path, jpeg):
    """Draw a track of (status, person, box) rows, with frames of rising grey, and return its image and figures."""

    def write(name, rows, schema, settings):
        path = tmp_path / f"{name}.parquet"
        write_parquet(pa.Table.from_pylist(rows, schema=schema), path, provenance_of(settings))
        return path

    def draw(rows, faces=(), frames=None, video=None, settings=SETTINGS, group_rows=512, **more):
        numbers = range(1, len(rows) + 1)
        chosen = [
            {"frame": frame, "time_s": (frame - 1) / 10, "status": status, "person": person, "xyxy_px": box}
            for frame, (status, person, box) in zip(numbers, rows, strict=True)
        ]
        found = [{"frame": frame, "xyxy_px": box, "score": 0.9} for frame, box in faces]
        times = [
            {"frame": frame, "time_s": (frame - 1) / 10, "decoded": True, "width_px": 64, "height_px": 48}
            for frame in numbers
        ]
        crops = [
            {"frame": row["frame"], "scale": scale, "jpeg": jpeg((200, 0, 0)), "padded_share": 0.0}
            for row in chosen
            if row["xyxy_px"] is not None
            for scale in (0.9, 1.2)
        ]
        if frames is None:
            frames = [{"frame": frame, "jpeg": jpeg((frame, frame, frame))} for frame in numbers]
        write_rows(frames, tmp_path / "frames.parquet", FRAMES, provenance_of({}), group_rows)
        write_rows(crops, tmp_path / "crops.parquet", CROPS, provenance_of({}), group_rows)
        run(
            subject=write("track_a", chosen, SUBJECT, settings),
            faces=write("faces", found, FACES, {}),
            timeline=write("video_a", times, TIMELINE, {}),
            frames=tmp_path / "frames.parquet",
            crops=tmp_path / "crops.parquet",
            video=video,
            sheet=tmp_path / "sheets/track_a.jpg",
            figures=tmp_path / "sheets/track_a.json",
            settings=replace(ContactSheetSettings(12, 4, 80, 90), **more),
        )
        with Image.open(tmp_path / "sheets/track_a.jpg") as opened:
            assert opened.format == "JPEG"
            return np.asarray(opened), json.loads((tmp_path / "sheets/track_a.json").read_text())

    return draw


@pytest.fixture
def cells(monkeypatch):
    """The headings and cells that were handed over for drawing."""
    handed = {}

    def record(title, lines, strip, rows, frame_width_px):
        handed.update(title=title, lines=lines, strip=strip, rows=rows)
        return np.zeros((16, 16, 3), np.uint8)

    monkeypatch.setattr(contact_sheet, "draw_sheet", record)
    return handed


def detected(count, person=0, box=BOX):
    return [("detected", person, box)] * count


def test_the_sheet_and_its_figures(sheet):
    rows = [*detected(6), ("interpolated", 0, BOX), ("absent", None, None)]
    image, figures = sheet(rows, faces=[(1, BOX), (1, OTHER)])
    assert figures.pop("provenance")["inputs"].keys() == {"track_a.parquet", "faces.parquet"}
    assert figures == {
        "track": "track_a",
        "video": "video_a",
        "person": "auto",
        "num_overrides": 0,
        "num_frames": 8,
        "doubt": pytest.approx((0.5 + 0.25 + 1) / 8),
        "num_switches": 0,
        "num_jumps": 0,
        "absent_share": 0.125,
        "interpolated_share": 0.125,
        "rival_share": 0.125,
        "median_side_px": 20.0,
        "other_frame": 1,
        "other_xyxy_px": OTHER,
        "sheet_size_px": [image.shape[1], image.shape[0]],
    }


def test_each_cell_shows_its_own_frame(sheet, cells):
    rows = [*detected(50), ("absent", None, None), *detected(49, person=2)]
    sheet(rows, faces=[(13, BOX), (13, OTHER), (14, OTHER)], num_frames=4, group_rows=8)
    (heading, spaced), (changes_heading, changes) = cells["rows"]
    assert heading == "Evenly spaced frames: 4 of 100"
    assert [cell.number for cell in spaced] == [13, 38, 63, 88]
    assert [int(cell.rgb.mean().round()) for cell in spaced] == pytest.approx([13, 38, 63, 88], abs=1)
    assert [cell.time_s for cell in spaced] == pytest.approx([1.2, 3.7, 6.2, 8.7])
    assert [cell.person for cell in spaced] == [0, 0, 2, 2]
    assert [len(cell.crops) for cell in spaced] == [2] * 4
    assert [len(cell.faces_xyxy_px) for cell in spaced] == [2, 0, 0, 0]
    assert spaced[0].other_px.tolist() == OTHER and spaced[1].other_px is None
    assert changes_heading == "Switches to another person and jumps of the box: 1 of 1"
    assert [(cell.number, cell.note) for cell in changes] == [(50, "switch 1, before"), (52, "switch 1, after")]
    assert cells["strip"].shown.tolist() == [12, 37, 49, 51, 62, 87]
    assert cells["strip"].person[50] == -1


def test_the_first_changes_of_both_kinds_are_shown_in_order_of_time(sheet, cells):
    rows = [*detected(5), *detected(5, person=1), *detected(5, person=1, box=OTHER), *detected(5)]
    sheet(rows, num_changes=2)
    heading, changes = cells["rows"][1]
    assert heading.endswith("2 of 3")
    assert [cell.note for cell in changes] == [
        "switch 1, before",
        "switch 1, after",
        "jump 2, before",
        "jump 2, after",
    ]
    sheet(rows, num_changes=0)
    assert len(cells["rows"]) == 1


def test_absent_frames_have_neither_box_nor_person_nor_crops(sheet, cells):
    sheet([("absent", None, None)] * 2, faces=[(2, OTHER)])
    first, second = cells["rows"][0][1]
    assert first.xyxy_px is None and first.person is None and len(first.crops) == 0
    assert second.other_px.tolist() == OTHER  # any face may be meant where nobody was ever chosen
    assert "nobody was ever chosen" in cells["lines"][0]


def test_frames_come_from_the_video_if_none_are_stored(sheet, cells, tmp_path):
    video = make_video(tmp_path / "v.mkv", range(0, 40, 4))
    sheet(detected(10), frames=[], video=video, num_frames=2)
    first, second = cells["rows"][0][1]
    assert (first.number, second.number) == (3, 8)
    assert [first.rgb.mean(), second.rgb.mean()] == pytest.approx([20 + 8 * 2, 20 + 8 * 7], abs=3.9)


def test_the_title_names_track_video_and_who_was_asked_for(sheet, cells):
    asked = {"person": "left", "overrides": [{"from_frame": 1, "to_frame": 3, "person": "right"}]}
    _, figures = sheet(detected(3), settings=asked)
    assert cells["title"] == "track_a   (video video_a, person: left, overrides: 1)"
    assert figures["person"] == "left" and figures["num_overrides"] == 1


def test_a_skipped_video_gets_a_sheet_of_words_and_opens_nothing(sheet, tmp_path):
    image, figures = sheet([], frames=[], video=tmp_path / "missing.mp4")
    assert figures["num_frames"] == 0 and figures["doubt"] == 0 and figures["median_side_px"] is None
    assert image.shape[0] < 150


def test_the_same_inputs_give_the_same_bytes(sheet, tmp_path):
    written = []
    for _ in range(2):
        sheet([*detected(4), *detected(4, person=1)], faces=[(2, OTHER)])
        written.append([(tmp_path / f"sheets/track_a.{suffix}").read_bytes() for suffix in ("jpg", "json")])
    assert written[0] == written[1]


def test_only_the_row_groups_needed_are_loaded(sheet, jpeg, tmp_path):
    noise = np.random.default_rng(0)
    frames = ({"frame": frame, "jpeg": jpeg((9, 9, 9)) + noise.bytes(200_000)} for frame in range(1, 101))
    counted = pa.proxy_memory_pool(pa.default_memory_pool())
    usual = pa.default_memory_pool()
    pa.set_memory_pool(counted)
    try:
        sheet(detected(100), frames=frames, num_frames=12, group_rows=5)
    finally:
        pa.set_memory_pool(usual)
    file_bytes = (tmp_path / "frames.parquet").stat().st_size
    assert file_bytes > 20e6
    assert 0.5e6 < counted.max_memory() < 0.5 * file_bytes


def test_damaged_or_foreign_frames_are_refused(sheet, tmp_path):
    with pytest.raises(InputError, match=r"frames\.parquet lacks frame 1; delete it"):
        sheet(detected(2), frames=[])
    assert not (tmp_path / "sheets/track_a.jpg").exists()
