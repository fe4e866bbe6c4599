"""Face boxes: those of a frame, of a whole video, and of a track's subject, with their files and geometry.

Shapes: F faces, D values of an identity embedding.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from frame_expressions.artifacts.parquet import read_metadata, read_parquet

CUTS = "cuts"


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

    def kept(self, min_score: float, min_side_px: float, min_side_of: str) -> "Faces":
        """The faces with at least this score and side, highest score first, then leftmost.

        min_side_of: which side of a box counts, `longer` or `shorter`.
        """
        sides_px = self.xyxy_px[:, 2:] - self.xyxy_px[:, :2]
        side_px = sides_px.max(axis=1) if min_side_of == "longer" else sides_px.min(axis=1)
        fit = np.flatnonzero((self.score >= min_score) & (side_px >= min_side_px))
        return self.take(fit[np.lexsort((self.xyxy_px[fit, 0], -self.score[fit]))])


NO_FACES = Faces(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


@dataclass(frozen=True)
class Cut:
    """A frame that begins a new shot.

    frame: 1-based. same: pairs of a face at the end of an earlier shot and one after the cut that look like one
    person's, as when a sentence is edited out; each face as its frame and its place among that frame's faces, from 0:
    (frame, face, later frame, later face). The most similar pairs come first.
    """

    frame: int
    same: Sequence[tuple[int, int, int, int]] = ()


@dataclass(frozen=True)
class FaceTable:
    """All faces of a video as arrays, in the file's order.

    frame: int32 [F], 1-based, rising. xyxy_px: float32 [F, 4]. score: float32 [F]. landmarks_px: float32 [F, 5, 2], see
    `Faces`, or None if the detector gives none. embedding: float32 [F, D] of length 1, or None if it computes none.
    cuts: of the video, by frame.
    """

    frame: np.ndarray
    xyxy_px: np.ndarray
    score: np.ndarray
    landmarks_px: np.ndarray | None = None
    embedding: np.ndarray | None = None
    cuts: Sequence[Cut] = ()

    @classmethod
    def of_frames(cls, found: Sequence[Faces], cuts: Sequence[Cut]) -> "FaceTable":
        """The faces of every frame of a video, as `read_faces` reads them."""
        parts = {
            name: [getattr(faces, name) for faces in found if len(faces)] for name in ("landmarks_px", "embedding")
        }
        return cls(
            frame=np.repeat(np.arange(1, len(found) + 1, dtype=np.int32), [len(faces) for faces in found]),
            xyxy_px=np.concatenate([NO_FACES.xyxy_px, *(faces.xyxy_px for faces in found)]),
            score=np.concatenate([NO_FACES.score, *(faces.score for faces in found)]),
            **{
                name: np.concatenate(values) if values and all(value is not None for value in values) else None
                for name, values in parts.items()
            },
            cuts=cuts,
        )


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


def cuts_metadata(cuts: Sequence[Cut]) -> dict[str, str]:
    """The cuts as an entry of the metadata of a video's faces."""
    return {CUTS: json.dumps([asdict(cut) for cut in cuts])}


def read_faces(path: Path) -> FaceTable:
    """Read the faces of a video; raises InputError if the file is damaged."""
    columns = ["frame", "xyxy_px", "score", "landmarks_px", "embedding"]
    table = read_parquet(path, columns=columns).combine_chunks()
    landmarks = _values_where_all_known(table["landmarks_px"])
    return FaceTable(
        frame=table["frame"].to_numpy(),
        xyxy_px=table["xyxy_px"].combine_chunks().flatten().to_numpy().reshape(-1, 4),
        score=table["score"].to_numpy(),
        landmarks_px=None if landmarks is None else landmarks.reshape(-1, 5, 2),
        embedding=_values_where_all_known(table["embedding"]),
        cuts=[
            Cut(cut["frame"], [tuple(pair) for pair in cut["same"]])
            for cut in json.loads(read_metadata(path, CUTS.encode()))
        ],
    )


def _values_where_all_known(column: pa.ChunkedArray) -> np.ndarray | None:
    """The lists of a column as rows [F, D], or None if there is none or some are null."""
    values = column.combine_chunks()
    known = len(values) > 0 and values.null_count == 0
    return values.flatten().to_numpy().reshape(len(values), -1) if known else None


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
