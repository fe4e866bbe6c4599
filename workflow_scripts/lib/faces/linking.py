"""Linking one video's face detections over time into persons."""

from collections.abc import Iterator

import numpy as np


def link(
    frame: np.ndarray,
    time_s: np.ndarray,
    xyxy_px: np.ndarray,
    embedding: np.ndarray | None,
    *,
    max_gap_s: float,
    min_iou: float,
    min_similarity: float,
    memory: float,
) -> np.ndarray:
    """Number the persons of a video by first appearance and say who each detection is, int32 [F].

    frame: int [F], rising. time_s: float [F]. xyxy_px: float [F, 4]. embedding: float [F, D] of length 1, or
    None where the detector gives none.

    Frame by frame, a detection first joins the person whose mean embedding is most like its own (cosine at
    least `min_similarity`), after a gap or cut of any length; the mean keeps a share `memory` of itself at
    each sighting. What is left joins by overlap with a person's last box (IoU at least `min_iou`, last seen
    at most `max_gap_s` ago), best pair first. The rest are new persons.
    Source: arXiv 2603.12221 (cosine 0.25, moving average 0.9, else overlap with the box before).
    """
    person = np.full(len(frame), -1, np.int32)
    num_values = 0 if embedding is None else embedding.shape[1]
    last_xyxy_px, last_time_s = np.zeros((0, 4)), np.zeros(0)
    mean = np.zeros((0, num_values))
    starts = np.flatnonzero(np.diff(frame, prepend=-1))
    for rows in np.split(np.arange(len(frame)), starts[1:]) if len(frame) else []:
        if embedding is not None:
            similarity = np.nan_to_num(mean @ embedding[rows].T, nan=-np.inf)
            for who, which in _best_pairs(similarity, min_similarity):
                person[rows[which]] = who
                mean[who] = _mixed(mean[who], embedding[rows[which]], memory)
        overlap = iou(last_xyxy_px, xyxy_px[rows])
        overlap[time_s[rows[0]] - last_time_s > max_gap_s] = -np.inf
        overlap[np.isin(np.arange(len(overlap)), person[rows])] = -np.inf
        overlap[:, person[rows] >= 0] = -np.inf
        for who, which in _best_pairs(overlap, min_iou):
            person[rows[which]] = who
        for row in rows[person[rows] < 0]:
            person[row] = len(last_time_s)
            last_xyxy_px, last_time_s = (
                np.vstack([last_xyxy_px, xyxy_px[row]]),
                np.append(last_time_s, time_s[row]),
            )
            if embedding is not None:
                mean = np.vstack([mean, embedding[row]])
        last_xyxy_px[person[rows]], last_time_s[person[rows]] = xyxy_px[rows], time_s[rows]
    return person


def iou(xyxy_px: np.ndarray, other_px: np.ndarray) -> np.ndarray:
    """Intersection over union of each box [P, 4] with each box [F, 4]: float [P, F], 0 without area."""
    a, b = np.asarray(xyxy_px, float)[:, None], np.asarray(other_px, float)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.clip(sides, 0, None).prod(axis=-1)
    areas = (a[..., 2:] - a[..., :2]).prod(axis=-1) + (b[..., 2:] - b[..., :2]).prod(axis=-1)
    return np.divide(shared, areas - shared, out=np.zeros_like(shared), where=shared > 0)


def _best_pairs(score: np.ndarray, least: float) -> Iterator[tuple[int, int]]:
    """Pairs (row, column) by falling score, each row and column once, down to `least`."""
    score = score.copy()
    while score.size and score.max() >= least:
        row, column = np.unravel_index(score.argmax(), score.shape)
        yield int(row), int(column)
        score[row], score[:, column] = -np.inf, -np.inf


def _mixed(mean: np.ndarray, embedding: np.ndarray, memory: float) -> np.ndarray:
    mixed = memory * mean + (1 - memory) * embedding
    return mixed / np.linalg.norm(mixed)
