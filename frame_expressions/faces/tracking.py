"""Tracking: one video's face detections, linked over time into persons.

Shapes: F detections in order of their frames, D values of an identity embedding, P persons.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from frame_expressions.faces.boxes import iou


@dataclass(frozen=True)
class SubjectSettings:
    """The block `subject` of the configuration, which documents each setting."""

    max_gap_s: float
    takeover_s: float
    min_similarity: float
    memory: float
    min_iou: float


def track_detections(
    frame: np.ndarray,
    time_s: np.ndarray,
    xyxy_px: np.ndarray,
    embedding: np.ndarray | None,
    settings: SubjectSettings,
) -> np.ndarray:
    """The person of each detection, int32 [F]; persons are numbered from 0 by first appearance.

    frame: int [F], rising. time_s: float [F]. xyxy_px: float [F, 4]. embedding: float [F, D] of length 1, or
    None if the detector computes none.

    Frame by frame, each detection is assigned in three steps. First by identity: to the person whose mean embedding
    is most similar (cosine at least `min_similarity`), after a gap or cut of any length; at each sighting the mean
    keeps a share `memory` of itself. Then by overlap (IoU at least `min_iou`) with the box expected of a person seen at
    most `max_gap_s` ago, which is the last box moved at its last speed. Persons seen most recently are matched first,
    best pairs first, so nobody takes the number of a person who was hidden there a moment ago. Each remaining
    detection starts a new person.
    Source: arXiv 2603.12221 (cosine 0.25, moving average 0.9, else overlap with the previous box).
    """
    max_gap_s, min_similarity = settings.max_gap_s, settings.min_similarity
    person = np.full(len(frame), -1, np.int32)
    mean = np.zeros((0, 0 if embedding is None else embedding.shape[1]))
    sightings: list[list[int]] = []  # of each person, rows
    recent: list[int] = []  # persons seen at most max_gap_s ago
    starts = np.flatnonzero(np.diff(frame, prepend=-1))
    for rows in np.split(np.arange(len(frame)), starts[1:]) if len(frame) else []:
        now_s = time_s[rows[0]]
        if embedding is not None:
            similarity = np.nan_to_num(mean @ embedding[rows].T, nan=-np.inf)
            for who, which in _best_pairs(similarity, min_similarity):
                person[rows[which]] = who
                mean[who] = _mixed(mean[who], embedding[rows[which]], settings.memory)
        recent = [who for who in recent if now_s - time_s[sightings[who][-1]] <= max_gap_s]
        lost = [who for who in recent if who not in person[rows]]
        for seen_s in sorted({time_s[sightings[who][-1]] for who in lost}, reverse=True):
            there = [who for who in lost if time_s[sightings[who][-1]] == seen_s]
            expected = [_expected_px(xyxy_px, time_s, sightings[who], now_s, max_gap_s) for who in there]
            left = rows[person[rows] < 0]
            for who, which in _best_pairs(iou(np.array(expected), xyxy_px[left]), settings.min_iou):
                person[left[which]] = there[who]
        for row in rows[person[rows] < 0]:
            person[row] = len(sightings)
            sightings.append([])
            if embedding is not None:
                mean = np.vstack([mean, embedding[row]])
        for row in rows:
            sightings[person[row]].append(row)
        recent = sorted({*recent, *person[rows].tolist()})
    return person


def _expected_px(xyxy_px: np.ndarray, time_s: np.ndarray, rows: list[int], now_s: float, over_s: float) -> np.ndarray:
    """The last box of a person's rows, moved on at the mean speed of its centre over the `over_s` before it."""
    last = rows[-1]
    first = next(row for row in reversed(rows) if row == rows[0] or time_s[last] - time_s[row] >= over_s)
    if first == last:
        return xyxy_px[last]
    centres_px = (xyxy_px[[first, last], :2] + xyxy_px[[first, last], 2:]) / 2
    moved_px = (centres_px[1] - centres_px[0]) * (now_s - time_s[last]) / (time_s[last] - time_s[first])
    return xyxy_px[last] + np.tile(moved_px, 2)


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
