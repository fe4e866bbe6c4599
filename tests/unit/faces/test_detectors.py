"""The face detectors: the cascade on a portrait that a dependency ships, SCRFD on the real clips."""

import shutil

import numpy as np
import onnx
import onnx.helper
import pytest
import skimage.data

from frame_expressions.faces.boxes import iou
from frame_expressions.faces.detectors import (
    CascadeDetector,
    CascadeSettings,
    InsightFaceDetector,
    InsightFaceSettings,
    merge_overlapping,
)
from frame_expressions.faces.resizing import resize
from frame_expressions.media.video import read_video
from frame_expressions.runtime.errors import InputError

ASTRONAUT_FACE = np.array([[175, 70, 275, 175]])  # x1, y1, x2, y2, read off the image


def cascade(min_side_px=40, min_side_of="longer"):
    return CascadeDetector(CascadeSettings(min_side_px, min_side_of, scale_factor=1.1, step_ratio=2.0, min_neighbors=3))


def scrfd(model, num_threads=1, **settings):
    defaults = {"input_px": [640], "min_score": 0.5, "min_side_px": 30, "min_side_of": "longer", "device": "cpu"}
    return InsightFaceDetector(InsightFaceSettings(**(defaults | settings)), model, num_threads)


def test_overlapping_boxes_of_one_face_are_averaged():
    merged = merge_overlapping(np.array([[0, 0, 10, 10], [100, 0, 108, 8], [2, 2, 10, 10], [8, 0, 18, 10]], float))
    assert merged.tolist() == [[1, 1, 10, 10], [8, 0, 18, 10], [100, 0, 108, 8]]
    assert merge_overlapping(np.zeros((0, 4))).shape == (0, 4)


def test_the_cascade_finds_the_astronaut_once_in_each_frame():
    portrait = skimage.data.astronaut()[:256, 100:356]
    found, nothing = (cascade().detect(image) for image in (portrait, np.zeros_like(portrait)))
    assert len(found) == 1 and found.score.tolist() == [1] and found.xyxy_px.dtype == np.float32
    assert iou(found.xyxy_px, ASTRONAUT_FACE - [100, 0, 100, 0])[0, 0] > 0.6
    assert len(nothing) == 0 and nothing.landmarks_px is None and nothing.embedding is None


def test_the_cascade_finds_a_face_that_the_frames_edge_cuts():
    portrait = skimage.data.astronaut()[:256, 128:384]
    whole = cascade().detect(portrait).xyxy_px[0]
    side = whole[2] - whole[0]
    cut = np.ascontiguousarray(portrait[:, : round(float(whole[2] - 0.15 * side))])
    (box,) = cascade().detect(cut).xyxy_px
    assert box[2] > cut.shape[1]
    assert np.abs(box - whole).max() < 0.15 * side


def test_the_cascade_skips_frames_smaller_than_a_face():
    small = np.zeros((30, 200, 3), np.uint8)
    assert len(cascade(40).detect(small)) == 0


def test_a_missing_model_is_named_with_the_remedy(tmp_path):
    (tmp_path / "empty").mkdir()
    for model in (tmp_path / "buffalo_l", tmp_path / "det.onnx", tmp_path / "empty"):
        with pytest.raises(InputError, match=rf"{model.name} does not exist; run `snakemake --cores 1 fetch_models`"):
            scrfd(model)


def test_a_device_that_onnxruntime_lacks_is_named_with_its_key(tmp_path):
    (tmp_path / "det.onnx").touch()
    with pytest.raises(InputError, match=r"detector\.insightface\.device is cuda, but .*; set it to cpu"):
        scrfd(tmp_path / "det.onnx", device="cuda")


def test_a_broken_model_is_named(tmp_path):
    (tmp_path / "det.onnx").write_bytes(b"no model")
    with pytest.raises(
        InputError, match=r"det\.onnx cannot be loaded as a face detector; correct detector\.insightface\.model"
    ):
        scrfd(tmp_path / "det.onnx")


def test_a_model_that_detects_no_faces_is_named(tmp_path):
    write_recognition(tmp_path / "rec.onnx")
    with pytest.raises(InputError, match=r"rec\.onnx is not an SCRFD detector; set detector\.insightface\.model"):
        scrfd(tmp_path / "rec.onnx")


def test_another_kind_of_detector_is_named(shared):
    with pytest.raises(InputError, match=r"yunet_2023mar\.onnx is not an SCRFD detector"):
        scrfd(shared / "models/face_detection_yunet_2023mar.onnx")


def write_recognition(path):
    """A stand-in for ArcFace: the mean colour of the aligned face, in the order the network receives it."""
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colour",
        [helper.make_tensor_value_info("input", real, ["N", 3, 112, 112])],
        [helper.make_tensor_value_info("embedding", real, ["N", 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)


def test_scrfd_finds_the_face_of_a_real_clip(shared):
    rgb = next(read_video(shared / "media/faces/single_face.mp4")).rgb
    detector = scrfd(shared / "models/scrfd_500m.onnx")
    found, nothing = (detector.detect(image) for image in (rgb, np.zeros_like(rgb)))
    assert len(found) == 1 and len(nothing) == 0
    x1, y1, x2, y2 = found.xyxy_px[0]
    eye, other_eye, nose, mouth, other_mouth = found.landmarks_px[0]
    assert x1 < eye[0] < nose[0] < other_eye[0] < x2 and mouth[0] < other_mouth[0]
    assert y1 < eye[1] < nose[1] < mouth[1] < y2
    assert found.embedding is None and detector.files == [shared / "models/scrfd_500m.onnx"]


@pytest.mark.parametrize("shape", [(360, 640), (640, 360), (480, 640), (640, 640), (355, 629), (320, 641)])
def test_scrfd_finds_in_a_fitted_input_what_it_finds_in_the_square(shared, shape):
    """InsightFace itself pads the frame with black, below or on the right, to a square."""
    rgb = next(read_video(shared / "media/faces/single_face.mp4")).rgb
    image = np.full((*shape, 3), 90, np.uint8)
    height, width = min(shape[0], rgb.shape[0]), min(shape[1], rgb.shape[1])
    image[:height, :width] = rgb[:height, :width]
    detector = scrfd(shared / "models/scrfd_500m.onnx")
    found = detector.detect(image)
    expected, landmarks = detector._detector.detect(image[..., ::-1].copy(), input_size=(640, 640))
    assert len(found) == len(expected) == 1
    assert iou(found.xyxy_px, expected[:, :4]).item() >= 0.97
    assert found.score == pytest.approx(expected[:, 4], abs=0.03)
    assert found.landmarks_px == pytest.approx(landmarks, abs=0.03 * max(shape))


@pytest.mark.parametrize("share", [0.6, 0.8, 0.9, 1.2, 1.4, 3.0])
def test_scrfd_finds_a_face_that_fills_the_frame(shared, share):
    """share: height of the face in heights of the frame."""
    detector = scrfd(shared / "models/scrfd_500m.onnx", input_px=[640, 320])
    side = round(148 / share)
    left, top = 217 - side // 2, 136 - side // 2
    found = []
    for frame in read_video(shared / "media/cremad/1001_DFA_HAP_XX.flv"):
        around = np.pad(frame.rgb, ((side, side), (side, side), (0, 0)), mode="edge")
        closeup = around[top + side : top + 2 * side, left + side : left + 2 * side]
        if frame.number % 5 == 0:
            found.append(detector.detect(resize(np.ascontiguousarray(closeup), 480)))
    assert len(found) == 11 and all(len(faces) == 1 for faces in found)
    assert {faces.input_px for faces in found} == ({640} if share <= 0.8 else {320})
    for faces in found:
        box = faces.xyxy_px[0]
        assert (box[:2] < 240).all() and (box[2:] > 240).all() and box[3] - box[1] > 0.7 * min(share, 1) * 480


def test_scrfd_keeps_a_narrow_face_by_its_longer_side(shared):
    rgb = next(read_video(shared / "media/faces/single_face.mp4")).rgb
    model = shared / "models/scrfd_500m.onnx"
    x1, y1, x2, y2 = scrfd(model).detect(rgb).xyxy_px[0]
    shorter_px, longer_px = sorted((x2 - x1, y2 - y1))
    between = float(shorter_px + longer_px) / 2
    assert len(scrfd(model, min_side_px=between).detect(rgb)) == 1
    assert len(scrfd(model, min_side_px=between, min_side_of="shorter").detect(rgb)) == 0
    assert len(scrfd(model, min_side_px=longer_px + 1).detect(rgb)) == 0
    low = np.ascontiguousarray(rgb[83:193])  # the upper half of the face, in a frame that is 110 px high
    assert len(scrfd(model, min_side_px=120).detect(low)) == 1
    assert len(scrfd(model, min_side_px=120, min_side_of="shorter").detect(low)) == 0


def test_the_cascades_boxes_are_square_so_either_side_counts():
    portrait = skimage.data.astronaut()[:256, 100:356]
    longer, shorter = (cascade(40, side).detect(portrait).xyxy_px for side in ("longer", "shorter"))
    assert len(longer) == 1 and longer.tolist() == shorter.tolist()


def test_scrfd_gives_the_same_whatever_the_threads(shared):
    rgb = next(read_video(shared / "media/faces/single_face.mp4")).rgb
    one, two = (scrfd(shared / "models/scrfd_500m.onnx", num_threads=n).detect(rgb) for n in (1, 2))
    assert (one.xyxy_px == two.xyxy_px).all() and (one.score == two.score).all()


def test_scrfd_skips_frames_that_no_face_fits_into(shared):
    detector = scrfd(shared / "models/scrfd_500m.onnx", min_side_px=1)
    for shape in ((1, 1, 3), (1, 640, 3), (2000, 3, 3)):
        assert len(detector.detect(np.zeros(shape, np.uint8))) == 0


def test_a_model_pack_gives_identities_and_sees_colours_in_order(shared, tmp_path):
    shutil.copy(shared / "models/scrfd_500m.onnx", tmp_path / "det.onnx")
    write_recognition(tmp_path / "rec.onnx")
    detector = scrfd(tmp_path)
    assert detector.files == [tmp_path / "det.onnx", tmp_path / "rec.onnx"]
    rgb = next(read_video(shared / "media/faces/single_face.mp4")).rgb
    reddish = (rgb * [1, 0.8, 0.6]).astype(np.uint8)
    found = detector.detect(reddish)
    assert found.embedding.shape == (1, 3) and np.linalg.norm(found.embedding) == pytest.approx(1)
    red, green, blue = found.embedding[0]
    assert red > green > blue
    assert detector.detect(np.zeros_like(rgb)).embedding is None
