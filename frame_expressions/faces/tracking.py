"""Tracking: one video's face detections, linked over time into persons.

Shapes: F detections in order of their frames, D values of an identity embedding, P persons.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from frame_expressions.faces.boxes import FaceTable, iou

NEWCOMER_FRAMES, NEWCOMER_SHARE = 3, 0.7
"""Sightings below which a person is a newcomer. The share is small enough for a false box that covers half of the next
face, and large enough for a person who steps in front of another."""


@dataclass(frozen=True)
class SubjectSettings:
    """The block `subject` of the configuration, which documents each setting."""

    max_gap_s: float
    takeover_s: float
    min_similarity: float
    memory: float
    min_iou: float


def track_detections(faces: FaceTable, time_s: np.ndarray, settings: SubjectSettings) -> np.ndarray:
    """The person of each detection, int32 [F]; persons are numbered from 0 by first appearance.

    time_s: of each detection, float [F].

    Frame by frame, each detection is assigned in three steps. First by identity: to the person whose mean embedding
    is most similar (cosine at least `min_similarity`), after a gap or cut of any length; at each sighting the mean
    keeps a share `memory` of itself. Without embeddings, a face after a cut goes to the person who had the same look
    before it (`Cut.same`). Then by overlap (IoU at least `min_iou`) with the box expected of a person seen at most
    `max_gap_s` ago and in the same shot, which is the last box moved at its last speed. Persons seen most recently are
    matched first, best pairs first, so nobody takes the number of a person who was hidden there a moment ago. A
    newcomer may be a false box, so a newcomer's overlap counts by `NEWCOMER_SHARE` only where others overlap too. Each
    remaining detection starts a new person.
    Sources: arXiv 2603.12221 (cosine 0.25, moving average 0.9, else overlap with the previous box); arXiv 1703.07402
    (tracks of fewer than three detections are tentative).
    """
    frame, xyxy_px, embedding = faces.frame, faces.xyxy_px, faces.embedding
    max_gap_s, min_similarity = settings.max_gap_s, settings.min_similarity
    person = np.full(len(frame), -1, np.int32)
    mean = np.zeros((0, 0 if embedding is None else embedding.shape[1]))
    sightings: list[list[int]] = []  # of each person, rows
    recent: list[int] = []  # persons seen at most max_gap_s ago in this shot
    starts = np.flatnonzero(np.diff(frame, prepend=-1))
    same_look = _same_look(faces) if embedding is None else {}
    shot = np.searchsorted([cut.frame for cut in faces.cuts], frame, side="right")
    for rows in np.split(np.arange(len(frame)), starts[1:]) if len(frame) else []:
        now_s = time_s[rows[0]]
        if embedding is not None:
            similarity = np.nan_to_num(mean @ embedding[rows].T, nan=-np.inf)
            for who, which in _best_pairs(similarity, min_similarity):
                person[rows[which]] = who
                mean[who] = _mixed(mean[who], embedding[rows[which]], settings.memory)
        for earlier, row in same_look.get(int(frame[rows[0]]), ()):
            if person[earlier] not in person[rows]:
                person[row] = person[earlier]
        recent = [who for who in recent if now_s - time_s[sightings[who][-1]] <= max_gap_s]
        recent = [who for who in recent if shot[sightings[who][-1]] == shot[rows[0]]]
        seen_s = {who: time_s[sightings[who][-1]] for who in recent if who not in person[rows]}
        expected_px = {who: _expected_px(xyxy_px, time_s, shot, sightings[who], now_s, max_gap_s) for who in seen_s}
        newcomers = {who for who in seen_s if len(sightings[who]) < NEWCOMER_FRAMES}
        rivals_px = [expected_px[who] for who in newcomers if seen_s[who] == max(seen_s.values())]
        rival = iou(np.array(rivals_px).reshape(-1, 4), xyxy_px[rows]).max(axis=0, initial=0)
        known = seen_s.keys() - newcomers
        for group, least in ((known, NEWCOMER_SHARE * rival), (newcomers, 0 * rival), (known, 0 * rival)):
            for at_s in sorted({seen_s[who] for who in group}, reverse=True):
                there = [who for who in sorted(group) if seen_s[who] == at_s and who not in person[rows]]
                left = np.flatnonzero(person[rows] < 0)
                overlap = iou(np.array([expected_px[who] for who in there]).reshape(-1, 4), xyxy_px[rows[left]])
                overlap[overlap < least[left]] = -np.inf
                for who, which in _best_pairs(overlap, settings.min_iou):
                    person[rows[left[which]]] = there[who]
        for row in rows[person[rows] < 0]:
            person[row] = len(sightings)
            sightings.append([])
            if embedding is not None:
                mean = np.vstack([mean, embedding[row]])
        for row in rows:
            sightings[person[row]].append(row)
        recent = sorted({*recent, *person[rows].tolist()})
    return person


def _same_look(faces: FaceTable) -> dict[int, list[tuple[int, int]]]:
    """By frame, the pairs of `Cut.same` whose later face is in it, as rows (earlier, later)."""
    pairs: dict[int, list[tuple[int, int]]] = {}
    for cut in faces.cuts:
        for frame, face, later_frame, later in cut.same:
            first, last = np.searchsorted(faces.frame, [frame, later_frame])
            pairs.setdefault(later_frame, []).append((first + face, last + later))
    return pairs


def _expected_px(
    xyxy_px: np.ndarray, time_s: np.ndarray, shot: np.ndarray, rows: list[int], now_s: float, over_s: float
) -> np.ndarray:
    """The last box of a person's rows, moved on at the mean speed of its centre over the `over_s` before it.

    Boxes before the last cut do not count.
    """
    last = rows[-1]
    first = last
    for row in reversed(rows):
        if shot[row] != shot[last]:
            break
        first = row
        if time_s[last] - time_s[row] >= over_s:
            break
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
