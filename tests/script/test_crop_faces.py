"""crop_faces on a video whose pixels show where they are."""

import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from frame_expressions.artifacts.parquet import read_parquet, read_provenance, write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import SUBJECT
from frame_expressions.faces.crops import CropSettings
from frame_expressions.runtime.errors import InputError
from tests.media import make_video
from workflow_scripts.crop_faces import run


def crop(tmp_path, video, boxes, num_threads=1, **settings):
    rows = [
        {"frame": frame, "xyxy_px": box, "status": "absent" if box is None else "detected"}
        for frame, box in enumerate(boxes, start=1)
    ]
    write_parquet(pa.Table.from_pylist(rows, schema=SUBJECT), tmp_path / "s.parquet", provenance_of({}))
    defaults = {"scales": [0.9, 1.2, 1.5], "size_px": 20, "jpeg_quality": 95}
    paths = {"video": video, "subject": tmp_path / "s.parquet", "crops": tmp_path / "c.parquet"}
    chosen = defaults | settings
    size_px = chosen.pop("size_px")
    run(**paths, num_threads=num_threads, settings=CropSettings(**chosen), size_px=size_px)
    return tmp_path / "c.parquet"


def pixels(jpeg):
    return np.asarray(Image.open(io.BytesIO(jpeg))).astype(float)


def test_crops_come_by_frame_then_scale_in_true_colours(tmp_path):
    def draw(number):
        image = np.zeros((48, 64, 3), np.uint8)
        image[..., number] = 200  # red, green, blue
        return image

    video = make_video(tmp_path / "v.mkv", [0, 4, 8], draw=draw)
    table = read_parquet(crop(tmp_path, video, [[22, 14, 42, 34], None, [-10, 14, 10, 34]]))
    assert table.schema.names == ["frame", "scale", "jpeg", "padded_share"]
    assert table["frame"].to_pylist() == [1, 1, 1, 3, 3, 3]
    assert table["scale"].to_pylist() == pytest.approx([0.9, 1.2, 1.5] * 2)
    assert table["padded_share"].to_pylist() == pytest.approx([0, 0, 0, 0.5, 0.5, 0.5])
    images = [pixels(jpeg) for jpeg in table["jpeg"].to_pylist()]
    assert all(image.shape == (20, 20, 3) for image in images)
    assert images[0].mean(axis=(0, 1)) == pytest.approx([200, 0, 0], abs=12)
    assert images[3][:, 13:].mean(axis=(0, 1)) == pytest.approx([0, 0, 200], abs=12)
    assert images[3][:, :7].max() < 12


def test_crops_do_not_depend_on_threads(tmp_path):
    video = make_video(tmp_path / "v.mkv", range(0, 80, 4))
    boxes = [[x, 5, x + 20, 25] for x in range(20)]
    one = crop(tmp_path, video, boxes).read_bytes()
    assert crop(tmp_path, video, boxes, num_threads=3).read_bytes() == one
    greys = [pixels(jpeg).mean() for jpeg in read_parquet(tmp_path / "c.parquet")["jpeg"].to_pylist()[::3]]
    assert greys == pytest.approx([20 + 8 * number for number in range(20)], abs=3.9)


def test_a_track_that_is_never_seen_leaves_its_video_unopened(tmp_path):
    for boxes in ([], [None, None]):
        crops = crop(tmp_path, tmp_path / "missing.mp4", boxes)
        assert read_parquet(crops).num_rows == 0 and read_provenance(crops)["inputs"].keys() == {"s.parquet"}


def test_a_subject_of_another_video_is_refused(tmp_path):
    video = make_video(tmp_path / "v.mkv", [0, 4])
    with pytest.raises(InputError, match="no longer has the 3 frames"):
        crop(tmp_path, video, [[0, 0, 9, 9]] * 3)
    assert not (tmp_path / "c.parquet").exists()
