"""Face detectors with one interface: a frame in, its faces out.

Shapes: F faces of a frame, D values of an identity embedding. A frame is uint8 [H, W, 3], RGB, upright.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from frame_expressions.faces.boxes import NO_FACES, Faces
from frame_expressions.runtime.errors import InputError

SAME_FACE_OVERLAP = 0.5
MARGIN_SHARE = 0.1
STRIDE_PX = 32
"""The sides of SCRFD's input are multiples of its coarsest stride."""


class Detector(Protocol):
    """The interface of every face detector."""

    files: list[Path]
    """The model files in use, for the record."""

    def detect(self, rgb: np.ndarray) -> Faces:
        """The faces of a frame; of length 0 if it shows none."""


@dataclass(frozen=True)
class InsightFaceSettings:
    """The block `detector.insightface`, without its model, and the minimum side; the configuration documents each."""

    min_side_px: float
    min_side_of: str
    input_px: Sequence[int]
    min_score: float
    device: str


@dataclass(frozen=True)
class CascadeSettings:
    """The block `detector.cascade`, and the minimum side; the configuration documents each setting."""

    min_side_px: float
    min_side_of: str
    scale_factor: float
    step_ratio: float
    min_neighbors: int


def make_detector(name: str, settings: dict, model: Path | None, num_threads: int) -> Detector:
    """The detector `insightface` or `cascade`; `settings` has the fields of its dataclass.

    model: for `insightface`, the .onnx file of an SCRFD detector or the folder of a model pack.
    """
    if name == "cascade":
        return CascadeDetector(CascadeSettings(**settings))
    return InsightFaceDetector(InsightFaceSettings(**settings), model, num_threads)


class InsightFaceDetector:
    """SCRFD through InsightFace, with ArcFace identities if the model pack has them.

    model: the .onnx file of an SCRFD detector, or the folder of a model pack such as buffalo_l. input_px: longer sides
    to which a frame is resized, in turn until it shows a face: the network does not find a face that fills the frame,
    unless the frame is made smaller. The shorter side is padded with black by a stride of the network or more, but not
    to a square, which saves 0.35 of the work on 16:9. Without any padding, boxes of faces at the edge get too short.
    device: `cpu` or `cuda`. Results do not depend on `num_threads`.
    Raises InputError for a missing or unsuitable model, and for a device that this onnxruntime does not support.
    """

    def __init__(self, settings: InsightFaceSettings, model: Path, num_threads: int):
        self.input_px, self.min_score = settings.input_px, settings.min_score
        self.min_side_px, self.min_side_of = settings.min_side_px, settings.min_side_of
        self.files = sorted(model.glob("*.onnx")) if model.is_dir() else [model]
        if not self.files or not self.files[0].is_file():
            raise InputError(
                f"The face detector's model {model} does not exist",
                "run `snakemake --cores 1 fetch_models` with the same --configfile, or correct "
                "detector.insightface.model",
            )
        self._detector, self._recognition = _load_insightface(model, settings.device, num_threads)
        # InsightFace also loads other detectors as SCRFD; only a network with SCRFD's outputs makes it set `fmc`.
        if getattr(self._detector, "taskname", None) != "detection" or not hasattr(self._detector, "fmc"):
            raise InputError(
                f"{model} is not an SCRFD detector", "set detector.insightface.model to one, or to a pack's name"
            )
        # The provider is chosen already; a context id below 0 would reset it.
        self._detector.prepare(ctx_id=0, input_size=(self.input_px[0],) * 2, det_thresh=self.min_score)

    def detect(self, rgb: np.ndarray) -> Faces:
        """The faces of a frame; see Detector."""
        shorter_px, longer_px = sorted(rgb.shape[:2])
        largest_px = longer_px if self.min_side_of == "longer" else shorter_px
        if largest_px < self.min_side_px or longer_px > 100 * shorter_px:
            return NO_FACES  # no face fits, and InsightFace fails when a side shrinks to nothing
        for input_px in self.input_px:
            faces = self._detect_at(rgb, input_px)
            if len(faces):
                break
        if self._recognition is None or faces.landmarks_px is None or len(faces) == 0:
            return faces
        import cv2

        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        return replace(faces, embedding=np.stack([self._identity(bgr, points) for points in faces.landmarks_px]))

    def _detect_at(self, rgb: np.ndarray, input_px: int) -> Faces:
        """The faces of a frame that is resized to a longer side of `input_px`, without identities."""
        import cv2

        scale = input_px / max(rgb.shape[:2])
        height_px, width_px = (int(side * scale) for side in rgb.shape[:2])
        # InsightFace expects BGR. Only the small frame is converted, and the full one only for identities.
        small = cv2.cvtColor(cv2.resize(rgb, (width_px, height_px)), cv2.COLOR_RGB2BGR)
        canvas = np.zeros((filled(height_px, input_px), filled(width_px, input_px), 3), np.uint8)
        canvas[:height_px, :width_px] = small
        found, landmarks = self._detector.detect(canvas, input_size=canvas.shape[1::-1])
        found = found.astype(np.float32)
        found[:, :4] /= scale
        landmarks = None if landmarks is None else landmarks.astype(np.float32) / np.float32(scale)
        faces = Faces(found[:, :4], found[:, 4], landmarks, input_px=input_px)
        return faces.kept(self.min_score, self.min_side_px, self.min_side_of)

    def _identity(self, bgr: np.ndarray, landmarks_px: np.ndarray) -> np.ndarray:
        from insightface.app.common import Face

        face = Face(kps=landmarks_px)
        self._recognition.get(bgr, face)
        return face.normed_embedding.astype(np.float32)


def _load_insightface(model: Path, device: str, num_threads: int) -> tuple[Any, Any]:
    """The detection network and, from a pack, the recognition network or None."""
    import cv2

    try:
        import onnxruntime
        from insightface.model_zoo import model_zoo
    except ImportError as error:
        raise InputError(
            f"InsightFace, which runs the detector {model}, cannot be imported ({error})",
            "install it with `pip install 'frame-expressions[insightface]'`, or on a machine without libGL with "
            "`pip install onnx onnxruntime` and `pip install --no-deps insightface`",
        ) from error
    from onnxruntime.capi.onnxruntime_pybind11_state import (
        Fail,
        InvalidArgument,
        InvalidGraph,
        InvalidProtobuf,
    )

    onnxruntime.set_default_logger_severity(3)
    cv2.setNumThreads(num_threads)
    provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[device]
    if provider not in onnxruntime.get_available_providers():
        raise InputError(
            f"detector.insightface.device is {device}, but this onnxruntime has no {provider}",
            "set it to cpu, or install onnxruntime-gpu in place of onnxruntime",
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    session = {"providers": [provider], "sess_options": options}
    try:
        if model.is_file():
            return model_zoo.get_model(str(model), **session), None
        from insightface.app import FaceAnalysis  # slow to import, so only if needed

        # Given a folder; given a name, InsightFace would download what is missing.
        pack = FaceAnalysis(str(model), allowed_modules=["detection", "recognition"], **session)
        return pack.det_model, pack.models.get("recognition")
    except (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, AssertionError) as error:
        raise InputError(
            f"{model} cannot be loaded as a face detector",
            "correct detector.insightface.model, or delete the files of `snakemake --cores 1 fetch_models` and run it "
            "again",
        ) from error


def filled(side_px: int, input_px: int) -> int:
    """The side of SCRFD's input for a side of the resized frame: padded by a stride or more, except the longer side."""
    return min(side_px // STRIDE_PX * STRIDE_PX + 2 * STRIDE_PX, input_px)


class CascadeDetector:
    """The LBP cascade that scikit-image ships: needs no download, finds frontal faces only, and always scores 1.

    The window grows from `min_side_px` by `scale_factor` per step and moves by `step_ratio` times its smallest step;
    `min_neighbors` hits count as a face. The frame is padded with black by `MARGIN_SHARE` of its shorter side, so the
    cascade finds faces of which the edge hides a fifth; without padding, half of the faces at the edge were lost.
    """

    def __init__(self, settings: CascadeSettings):
        from skimage.data import lbp_frontal_face_cascade_filename
        from skimage.feature import Cascade

        self.files = [Path(lbp_frontal_face_cascade_filename())]
        self._cascade = Cascade(str(self.files[0]))
        self.min_side_px, self.min_side_of = max(round(settings.min_side_px), 1), settings.min_side_of
        self._settings = {
            "scale_factor": settings.scale_factor,
            "step_ratio": settings.step_ratio,
            "min_neighbor_number": settings.min_neighbors,
        }

    def detect(self, rgb: np.ndarray) -> Faces:
        """The faces of a frame; see Detector."""
        longest_px = min(rgb.shape[:2])
        if longest_px < self.min_side_px:
            return NO_FACES
        margin_px = round(MARGIN_SHARE * longest_px)
        extended = np.pad(rgb, ((margin_px, margin_px), (margin_px, margin_px), (0, 0)))
        found = self._cascade.detect_multi_scale(
            extended, min_size=(self.min_side_px,) * 2, max_size=(longest_px,) * 2, **self._settings
        )
        boxes = np.array([[hit["c"], hit["r"], hit["c"] + hit["width"], hit["r"] + hit["height"]] for hit in found])
        merged = merge_overlapping(boxes.reshape(-1, 4).astype(np.float32) - margin_px)
        return Faces(merged, np.ones(len(merged), np.float32)).kept(0.0, self.min_side_px, self.min_side_of)


def merge_overlapping(xyxy_px: np.ndarray) -> np.ndarray:
    """Average boxes [N, 4] that overlap by at least half of the smaller one: one box per face.

    Groups form around the largest boxes first. Returns [M, 4], M <= N.
    """
    sides = xyxy_px[:, 2:] - xyxy_px[:, :2]
    areas = sides.prod(axis=1)
    groups: list[list[int]] = []
    for box in np.argsort(-areas, kind="stable"):
        for group in groups:
            first = group[0]
            overlap = np.minimum(xyxy_px[box, 2:], xyxy_px[first, 2:]) - np.maximum(
                xyxy_px[box, :2], xyxy_px[first, :2]
            )
            if overlap.min() > 0 and overlap.prod() >= SAME_FACE_OVERLAP * areas[box]:
                group.append(box)
                break
        else:
            groups.append([box])
    return np.array([xyxy_px[group].mean(axis=0) for group in groups], xyxy_px.dtype).reshape(-1, 4)
