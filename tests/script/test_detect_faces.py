"""detect_faces: the cascade on a portrait that a dependency ships, SCRFD on a real clip."""

import numpy as np
import pytest
import skimage.data
from PIL import Image

from frame_expressions.artifacts.parquet import read_parquet, read_provenance
from frame_expressions.faces.boxes import FaceTable, read_faces
from frame_expressions.faces.cuts import CutFinder
from frame_expressions.faces.detectors import make_detector
from frame_expressions.media.frame_images import FrameSettings
from frame_expressions.media.limits import Limits
from frame_expressions.media.video import read_frames
from frame_expressions.runtime.errors import InputError
from tests.media import LIMITS, make_video
from workflow_scripts import extract_frames
from workflow_scripts.detect_faces import run

CASCADE = {"min_side_px": 40, "min_side_of": "longer", "scale_factor": 1.2, "step_ratio": 1.5, "min_neighbors": 4}
SCRFD = {"input_px": [320], "min_score": 0.5, "device": "cpu"}


def detect(tmp_path, video, detector="cascade", model=None, **settings):
    timeline, faces = tmp_path / "timeline.parquet", tmp_path / "faces.parquet"
    decoding = {"settings": FrameSettings("none", 1, 1), "limits": Limits(**LIMITS)}
    extract_frames.run(
        video=video, timeline=timeline, frames=tmp_path / "frames.parquet", on_bad_video="skip", **decoding
    )
    settings = settings or {"scale_factor": 1.2, "step_ratio": 1.5, "min_neighbors": 4}
    paths = {"videos": [video], "timelines": [timeline], "faces": [faces]}
    run(
        **paths,
        detector={"name": detector, "min_side_px": 40, "min_side_of": "longer", **settings},
        model=model,
        num_threads=1,
    )
    return faces


@pytest.fixture
def astronaut(tmp_path):
    """Three frames: the portrait, nothing, the portrait moved 20 px to the right."""
    portrait = Image.fromarray(skimage.data.astronaut()[:240, 90:330])

    def draw(number):
        image = Image.new("RGB", (320, 240), (128, 128, 128))
        if number != 1:
            image.paste(portrait, (10 * number, 0))
        return np.asarray(image)

    return make_video(tmp_path / "a.mkv", [0, 4, 8], codec="ffv1", size=(320, 240), draw=draw)


def test_the_cascade_finds_faces_where_they_are(tmp_path, astronaut):
    faces = detect(tmp_path, astronaut)
    table = read_parquet(faces)
    assert table.schema.names == ["frame", "xyxy_px", "score", "landmarks_px", "embedding", "input_px"]
    assert table["frame"].to_pylist() == [1, 3] and table["score"].to_pylist() == [1, 1]
    assert table["landmarks_px"].null_count == table["embedding"].null_count == 2
    found = read_faces(faces)
    assert found.embedding is None and found.xyxy_px.shape == (2, 4)
    shift = found.xyxy_px[1] - found.xyxy_px[0]
    assert shift == pytest.approx([20, 0, 20, 0], abs=8)
    assert read_provenance(faces)["inputs"].keys() == {
        "a.mkv",
        "timeline.parquet",
        "lbpcascade_frontalface_opencv.xml",
    }


def test_cuts_are_stored_with_the_faces_and_read_as_the_predictor_finds_them(tmp_path):
    portrait = skimage.data.astronaut()[:240, 90:330]

    def draw(number):
        image = np.full((240, 320, 3), (40, 90, 160) if number < 6 else (170, 60, 30), np.uint8)
        image[:, slice(0, 240) if number < 6 else slice(80, 320)] = portrait if number < 6 else portrait[:, ::-1]
        return image

    video = make_video(tmp_path / "cut.mkv", range(0, 48, 4), codec="ffv1", size=(320, 240), draw=draw)
    stored = read_faces(detect(tmp_path, video))
    assert [cut.frame for cut in stored.cuts] == [7]
    detector, cut_finder, found = make_detector("cascade", CASCADE, None, 1), CutFinder(), []
    for frame in read_frames(video, 12):
        found.append(detector.detect(frame.rgb))
        cut_finder.add(frame, (frame.number - 1) / 25, found[-1])
    table = FaceTable.of_frames(found, cut_finder.finish())
    assert (table.frame == stored.frame).all() and (table.xyxy_px == stored.xyxy_px).all()
    assert (table.score == stored.score).all() and table.landmarks_px is None is stored.landmarks_px
    assert table.cuts == stored.cuts


def test_a_skipped_video_has_no_faces(tmp_path):
    faces = detect(tmp_path, tmp_path / "missing.mp4")
    assert read_parquet(faces).num_rows == 0 and read_faces(faces).xyxy_px.shape == (0, 4)


def test_a_missing_model_stops_before_decoding(tmp_path, astronaut):
    with pytest.raises(InputError, match=r"det\.onnx does not exist"):
        detect(tmp_path, astronaut, "insightface", tmp_path / "det.onnx", **SCRFD)


def test_scrfd_on_a_real_clip_is_the_same_each_time(tmp_path, shared):
    clip = shared / "media/cremad/1001_DFA_HAP_XX.flv"
    model = shared / "models/scrfd_500m.onnx"
    table = read_parquet(detect(tmp_path, clip, "insightface", model, **SCRFD))
    assert table["frame"].to_pylist() == list(range(1, 57))  # one face in each of the 56 frames
    assert all(len(points) == 10 for points in table["landmarks_px"].to_pylist())
    content = (tmp_path / "faces.parquet").read_bytes()
    assert detect(tmp_path, clip, "insightface", model, **SCRFD).read_bytes() == content
