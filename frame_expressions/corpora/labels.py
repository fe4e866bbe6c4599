"""The class of each frame of a labelled track."""

from pathlib import Path

import numpy as np

from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.challenge.alignment import labels_for_frames
from frame_expressions.challenge.annotations import read_annotation


def frame_labels(row: dict[str, str], time_s: np.ndarray) -> np.ndarray:
    """Class of every decoded frame of a track: [T] int8, -1 if unlabelled; from the times of its frames, [T].

    row: its `track`, `annotation` (path or empty) and `label` (class name of the whole clip, if there is no
    annotation). Raises InputError for an annotation that cannot be read or belongs to another video.
    """
    if len(time_s) == 0:
        return np.zeros(0, np.int8)
    if not row["annotation"]:
        return np.full(len(time_s), EXPRESSIONS.index(row["label"]), np.int8)
    return labels_for_frames(read_annotation(Path(row["annotation"])), time_s, row["track"])
