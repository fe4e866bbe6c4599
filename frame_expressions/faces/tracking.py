"""Linking one video's face detections over time into persons."""

from collections.abc import Iterator

import numpy as np

from frame_expressions.faces.boxes import iou


def track_detections(
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
    each sighting. What is left joins by overlap (IoU at least `min_iou`) with where a person is expected who was seen
    at most `max_gap_s` ago: at the last box, moved on as fast as it went before. Those seen last come first and of
    these the best pair, so that nobody takes the number of one who was hidden here a moment ago. The rest are new
    persons.
    Source: arXiv 2603.12221 (cosine 0.25, moving average 0.9, else overlap with the box before).
    """
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
                mean[who] = _mixed(mean[who], embedding[rows[which]], memory)
        recent = [who for who in recent if now_s - time_s[sightings[who][-1]] <= max_gap_s]
        lost = [who for who in recent if who not in person[rows]]
        for seen_s in sorted({time_s[sightings[who][-1]] for who in lost}, reverse=True):
            there = [who for who in lost if time_s[sightings[who][-1]] == seen_s]
            expected = [_expected_px(xyxy_px, time_s, sightings[who], now_s, max_gap_s) for who in there]
            left = rows[person[rows] < 0]
            for who, which in _best_pairs(iou(np.array(expected), xyxy_px[left]), min_iou):
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
