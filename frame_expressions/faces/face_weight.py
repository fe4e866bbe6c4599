"""How much a detected face counts towards its person's presence: less if it is turned away, or perhaps no face.

Shape: F faces.
"""

import numpy as np

SCORE_POWER = 3
"""SCRFD gives most faces that look into the camera 0.75 to 0.9, and the back of a head 0.5 to 0.75, in a box that may
be taller. The third power makes up for that: 0.87 counts 3.0 times as much as 0.6, and 1.6 times as much as 0.75."""

FRONTAL_NOSE, PROFILE_NOSE = 0.25, 0.5
"""Distance of the nose from the middle of the eyes, along the line through both, in distances of the eyes. Up to the
first a face counts in full (0 to 0.13 measured on faces that look into the camera); from the second on, where the nose
is beyond an eye, it counts as a profile. So does a face whose nose is not between eyes and mouth."""

PROFILE_WEIGHT = 0.25  # not 0: a person may be seen in profile only


def face_weight(score: np.ndarray, landmarks_px: np.ndarray | None) -> np.ndarray:
    """The weight of each face, 0 to 1, float32 [F].

    score: float [F], 0 to 1; the cascade's is always 1. landmarks_px: float [F, 5, 2], see `boxes.Faces`, or None: then
    the score alone counts, so each of the cascade's faces weighs 1.
    """
    weight = np.asarray(score, np.float64) ** SCORE_POWER
    if landmarks_px is not None and len(landmarks_px):
        weight = weight * _frontal(np.asarray(landmarks_px, np.float64))
    return weight.astype(np.float32)


def _frontal(points_px: np.ndarray) -> np.ndarray:
    """1 for a face that looks into the camera, PROFILE_WEIGHT for a profile: float [F]."""
    left_eye, right_eye, nose, *mouth = np.moveaxis(points_px, 1, 0)
    eyes, chin = (left_eye + right_eye) / 2, (mouth[0] + mouth[1]) / 2
    aside = np.abs(_share_along(nose - eyes, right_eye - left_eye))
    down = _share_along(nose - eyes, chin - eyes)
    turned = np.clip((aside - FRONTAL_NOSE) / (PROFILE_NOSE - FRONTAL_NOSE), 0, 1)
    turned[(down <= 0) | (down >= 1)] = 1
    return 1 - (1 - PROFILE_WEIGHT) * turned


def _share_along(vector_px: np.ndarray, axis_px: np.ndarray) -> np.ndarray:
    """How far each vector [F, 2] goes along its axis [F, 2], in lengths of the axis; infinite for a length of 0."""
    squared = (axis_px**2).sum(axis=1)
    return np.divide((vector_px * axis_px).sum(axis=1), squared, out=np.full(len(squared), np.inf), where=squared > 0)
