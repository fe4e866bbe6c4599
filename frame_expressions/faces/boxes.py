"""Face boxes: those of a frame, of a whole video, and of a track's subject, with their files and geometry.

Shapes: F faces, D values of an identity embedding.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from frame_expressions.artifacts.parquet import read_parquet


@dataclass(frozen=True)
class Faces:
    """The faces of one frame, highest score first.

    xyxy_px: float32 [F, 4], may extend past the frame. score: float32 [F]. landmarks_px: float32 [F, 5, 2], x
    and y of left eye, right eye, nose, left and right mouth corner as they appear in the frame, or None.
    embedding: float32 [F, D] of length 1, or None. input_px: longer side of the resized frame in which the detector
    found them, or None if it resizes nothing.
    """

    xyxy_px: np.ndarray
    score: np.ndarray
    landmarks_px: np.ndarray | None = None
    embedding: np.ndarray | None = None
    input_px: int | None = None

    def __len__(self) -> int:
        return len(self.score)

    def take(self, rows: np.ndarray) -> "Faces":
        """The faces of these rows, in this order."""
        optional = (None if part is None else part[rows] for part in (self.landmarks_px, self.embedding))
        return Faces(self.xyxy_px[rows], self.score[rows], *optional, self.input_px)

    def kept(self, min_score: float, min_side_px: float) -> "Faces":
        """The faces with at least this score and this shorter side, highest score first, then leftmost."""
        shorter_px = (self.xyxy_px[:, 2:] - self.xyxy_px[:, :2]).min(axis=1)
        fit = np.flatnonzero((self.score >= min_score) & (shorter_px >= min_side_px))
        return self.take(fit[np.lexsort((self.xyxy_px[fit, 0], -self.score[fit]))])


NO_FACES = Faces(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


@dataclass(frozen=True)
class FaceTable:
    """All faces of a video as arrays, in the file's order.

    frame: int32 [F], 1-based, rising. xyxy_px: float32 [F, 4]. embedding: float32 [F, D] of length 1, or None
    if the detector computes none.
    """

    frame: np.ndarray
    xyxy_px: np.ndarray
    embedding: np.ndarray | None


def face_rows(frame: int, faces: Faces) -> Iterator[dict]:
    """The rows of one frame's faces; `frame` is 1-based."""
    for face in range(len(faces)):
        yield {
            "frame": frame,
            "xyxy_px": faces.xyxy_px[face],
            "score": faces.score[face],
            "landmarks_px": None if faces.landmarks_px is None else faces.landmarks_px[face].ravel(),
            "embedding": None if faces.embedding is None else faces.embedding[face],
            "input_px": faces.input_px,
        }


def read_faces(path: Path) -> FaceTable:
    """Read the faces of a video; raises InputError if the file is damaged."""
    table = read_parquet(path, columns=["frame", "xyxy_px", "embedding"]).combine_chunks()
    boxes = table["xyxy_px"].combine_chunks().flatten().to_numpy().reshape(-1, 4)
    embedding = table["embedding"].combine_chunks()
    known = len(embedding) > 0 and embedding.null_count == 0
    return FaceTable(
        frame=table["frame"].to_numpy(),
        xyxy_px=boxes,
        embedding=embedding.flatten().to_numpy().reshape(len(embedding), -1) if known else None,
    )


def read_boxes(path: Path) -> list[np.ndarray | None]:
    """The subject's box in every frame, xyxy_px float32 [4], or None if the subject is absent."""
    boxes = read_parquet(path, columns=["xyxy_px"])["xyxy_px"].to_pylist()
    return [None if box is None else np.array(box, np.float32) for box in boxes]


def iou(xyxy_px: np.ndarray, other_px: np.ndarray) -> np.ndarray:
    """Intersection over union of each box [P, 4] with each box [F, 4]: float [P, F], 0 without area."""
    a, b = np.asarray(xyxy_px, float)[:, None], np.asarray(other_px, float)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.clip(sides, 0, None).prod(axis=-1)
    areas = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1)
    return np.divide(shared, areas - shared, out=np.zeros_like(shared), where=shared > 0)
