"""extract_frames on small videos."""

import io

import numpy as np
import pytest
from PIL import Image

from frame_expressions.artifacts.parquet import read_parquet, read_provenance
from frame_expressions.media.frame_images import FrameSettings
from frame_expressions.media.limits import Limits
from frame_expressions.runtime.errors import InputError
from tests.media import LIMITS, make_video
from workflow_scripts.extract_frames import run


def extract(tmp_path, video, images="thumbnails", on_bad_video="stop"):
    timeline, frames = tmp_path / "timeline.parquet", tmp_path / "frames.parquet"
    run(
        video=video,
        timeline=timeline,
        frames=frames,
        settings=FrameSettings(images, thumbnail_px=32, jpeg_quality=90),
        on_bad_video=on_bad_video,
        limits=Limits(**LIMITS),
    )
    return timeline, frames


def test_timeline_and_thumbnails(tmp_path):
    video = make_video(tmp_path / "v.mkv", [10, 14, 30])
    timeline, frames = extract(tmp_path, video)
    table = read_parquet(timeline)
    assert table.schema.names == ["frame", "time_s", "decoded", "width_px", "height_px"]
    assert [str(kind) for kind in table.schema.types] == ["int32", "double", "bool", "int32", "int32"]
    assert table["frame"].to_pylist() == [1, 2, 3] and table["decoded"].to_pylist() == [True] * 3
    assert table["time_s"].to_pylist() == pytest.approx([0, 0.04, 0.2])
    assert table["width_px"].to_pylist() == [64] * 3 and table["height_px"].to_pylist() == [48] * 3
    images = read_parquet(frames)
    assert images["frame"].to_pylist() == [1, 2, 3]
    for number, jpeg in enumerate(images["jpeg"].to_pylist()):
        image = Image.open(io.BytesIO(jpeg))
        assert image.size == (32, 24) and image.format == "JPEG"
        assert np.asarray(image).mean() == pytest.approx(20 + 8 * number, abs=2)
    assert read_provenance(timeline)["inputs"].keys() == {"v.mkv"}
    assert read_provenance(frames)["settings"] == {
        "images": "thumbnails",
        "thumbnail_px": 32,
        "jpeg_quality": 90,
    }


def test_full_images_and_none(tmp_path):
    video = make_video(tmp_path / "v.mkv", [0, 4])
    _, frames = extract(tmp_path, video, images="full")
    assert Image.open(io.BytesIO(read_parquet(frames)["jpeg"][1].as_py())).size == (64, 48)
    timeline, frames = extract(tmp_path, video, images="none")
    assert read_parquet(frames).num_rows == 0 and read_parquet(timeline).num_rows == 2


def test_the_timeline_does_not_depend_on_the_images_and_is_the_same_each_time(tmp_path):
    video = make_video(tmp_path / "v.mkv", [0, 4])
    contents = [
        [path.read_bytes() for path in extract(tmp_path, video, images=images)] for images in ("full", "full", "none")
    ]
    assert contents[0] == contents[1] and contents[1][0] == contents[2][0] and contents[1][1] != contents[2][1]


def test_a_bad_video_stops(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"v\.mp4 cannot be opened .*, or set execution\.on_bad_video to skip\."):
        extract(tmp_path, tmp_path / "v.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


@pytest.mark.parametrize(("content", "reason"), [(b"no video", "cannot be opened"), (None, "is missing")])
def test_a_bad_video_that_is_skipped_leaves_empty_files_with_the_reason(tmp_path, caplog, content, reason):
    video = tmp_path / "v.mp4"
    if content:
        video.write_bytes(content)
    timeline, frames = extract(tmp_path, video, on_bad_video="skip")
    for path in (timeline, frames):
        assert read_parquet(path).num_rows == 0
        skipped = read_provenance(path)["settings"]["skipped"]
        assert reason in skipped and skipped.startswith("v.mp4") and str(tmp_path) not in skipped
    assert read_parquet(timeline).schema.names[0] == "frame"
    assert reason in caplog.text
