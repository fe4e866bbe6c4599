"""Where one shot of a video ends and the next begins: cuts, found while the frames pass by once.

Shapes: K cells of a thumbnail in three colours, A frames before a boundary, B frames after it, F faces of a frame.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from frame_expressions.faces.boxes import Cut, Faces
from frame_expressions.media.video import Frame

GRID = 24
"""Cells along each side of the thumbnails that are compared: enough to see another face, too few to see noise."""
SAMPLES = 4  # pixels along each side of a cell that are averaged
DARKEST, BRIGHTEST = 8, 247  # levels beyond which a cell is clipped, and no longer says what it shows
LEAST_CONTRAST = 3.0  # levels (standard deviation); a frame with less is blank, as between two fades
LEAST_CLEAR = 0.25  # of the cells that are clipped in neither of two frames; with fewer, all are compared

SPAN_S = 0.16
"""Reach of the windows before and after a boundary. Flashes and single damaged frames are shorter, shots are longer."""
FEWEST, MOST = 2, 8  # frames in a window

LEAST_CHANGE, LEAST_RATIO = 0.02, 6.0
LEAST_GREAT_CHANGE, LEAST_GREAT_RATIO = 0.3, 2.0
"""What a cut is, see `CutFinder`. Measured: two scenes differ by 0.4 or more, two faces in front of the same background
by 0.02 (a third of the frame's height) to 0.3 (all of it). Pans and fast motion change a frame by up to 0.8, but by at
most 1.8 times the usual change around it."""

LOOK_GRID, LOOK_SCALE = 12, 1.6
"""Cells along each side of a face's thumbnail; its side in longer sides of the box: it shows hair and collar."""
SHOTS_BACK = 8  # latest shots whose faces are compared with those after a cut: conversations return to few cameras
SAME_LOOK = 0.05
"""Largest change between faces before and after a cut that are taken for one person's. Measured: 0.03 in the median and
0.14 at most for one person in six clips of one camera; for two persons 0.055 at least, and 0.097 in 999 of 1000."""


class _Seen(NamedTuple):
    """A frame's thumbnail: rank of each cell within its colour, [K], and 1 where it is not clipped, else 0, [K].

    step: its change from the frame before it. looks: of each of its faces, the thumbnail's cells and which of them are
    in the frame, see `_cells`.
    """

    number: int
    time_s: float
    ranks: np.ndarray
    clear: np.ndarray
    step: float
    looks: list[tuple[np.ndarray, np.ndarray]]


class CutFinder:
    """Sees the frames of a video in display order, then says which of them begin a new shot.

    Two frames differ by 1 minus the correlation of the ranks of their cells, over the cells that are clipped in
    neither: exposure, gamma and white balance keep ranks as they are. The change at a boundary is that of the most
    similar pair of frames across it, so a flash, which ends as it began, does not count. A cut is a change of at least
    `LEAST_CHANGE` and `LEAST_RATIO` times the usual change from frame to frame on either side, which pans and fast
    motion raise. A change of `LEAST_GREAT_CHANGE` needs only `LEAST_GREAT_RATIO`: a shot may begin with fast motion.
    Blank and damaged frames are passed over, so a fade through black is a cut where the next shot appears.
    Source: PySceneDetect's AdaptiveDetector also divides by the changes around a boundary (of mean differences in HSV).
    """

    def __init__(self) -> None:
        self._cuts: list[Cut] = []
        self._recent: list[_Seen] = []
        self._ends: list[_Seen] = []  # of the latest shots with faces, the last frame with some
        self._next = 1  # of `_recent`: the first frame whose boundary has not been judged

    def add(self, frame: Frame, time_s: float, faces: Faces) -> None:
        """See the next frame and its faces. time_s: of the timeline."""
        cells, _ = _cells(frame.rgb, np.array([0, 0, *frame.rgb.shape[1::-1]]), GRID)
        if not frame.decoded or cells.std(axis=(0, 1)).max() < LEAST_CONTRAST:
            return
        looks = [_cells(frame.rgb, _enlarged(box), LOOK_GRID) for box in faces.xyxy_px]
        seen = _Seen(frame.number, time_s, _ranks(cells), _clear(cells), 0.0, looks)
        if self._recent:
            seen = seen._replace(step=float(_changes(self._recent[-1:], [seen])[0, 0]))
        self._recent.append(seen)
        if len(self._recent) >= self._next + MOST:
            self._judge_next()
            del self._recent[: max(0, self._next - MOST)]
            self._next = min(self._next, MOST)

    def finish(self) -> list[Cut]:
        """The cuts of the video, in order."""
        while self._next < len(self._recent):
            self._judge_next()
        return self._cuts

    def _judge_next(self) -> None:
        before, after = _window(self._recent[: self._next][::-1]), _window(self._recent[self._next :])
        if min(len(before), len(after)) >= FEWEST and _is_cut(before, after):
            last, first = (next((seen for seen in side if seen.looks), None) for side in (before, after))
            self._ends = [*self._ends, *([last] if last else [])][-SHOTS_BACK:]
            self._cuts.append(Cut(after[0].number, _same_faces(self._ends, first) if self._ends and first else []))
        self._next += 1


def _window(frames: Sequence[_Seen]) -> Sequence[_Seen]:
    """The first of some frames that go away from a boundary, forwards or backwards."""
    near = sum(abs(seen.time_s - frames[0].time_s) <= SPAN_S for seen in frames[:MOST])
    return frames[: max(FEWEST, near)]


def _is_cut(before: Sequence[_Seen], after: Sequence[_Seen]) -> bool:
    """Whether the boundary from which both windows go away is a cut."""
    if after[0].step < LEAST_CHANGE:  # bounds the smallest change, so most boundaries need no further work
        return False
    change = _changes(before, after).min()
    usual = max(np.median([seen.step for seen in side]) for side in (before[:-1], after[1:]))
    is_great = change >= LEAST_GREAT_CHANGE and change >= LEAST_GREAT_RATIO * usual
    if after[0].number - before[0].number > MOST:  # much may have moved during the frames that were passed over
        return is_great
    return is_great or (change >= LEAST_CHANGE and change >= LEAST_RATIO * usual)


def _changes(some: Sequence[_Seen], others: Sequence[_Seen]) -> np.ndarray:
    """1 minus the correlation of the ranks of each frame [A] with those of each [B], float [A, B]."""
    ranks, other_ranks = (np.stack([seen.ranks for seen in side]) for side in (some, others))
    clear, other_clear = (np.stack([seen.clear for seen in side]) for side in (some, others))
    usable = clear @ other_clear.T >= LEAST_CLEAR * clear.shape[1]
    correlation = _correlation(ranks, clear, other_ranks, other_clear)
    if not usable.all():
        over_all = _correlation(ranks, np.ones_like(clear), other_ranks, np.ones_like(other_clear))
        correlation = np.where(usable, correlation, over_all)
    return 1 - correlation


def _correlation(x: np.ndarray, x_weight: np.ndarray, y: np.ndarray, y_weight: np.ndarray) -> np.ndarray:
    """Of each row of `x` [A, K] with each of `y` [B, K], over the cells that weigh 1 in both; 0 without contrast."""
    count = np.maximum(x_weight @ y_weight.T, 1)
    x, y = x * x_weight, y * y_weight
    mean_x, mean_y = x @ y_weight.T / count, x_weight @ y.T / count
    covariance = x @ y.T / count - mean_x * mean_y
    variances = (x**2 @ y_weight.T / count - mean_x**2) * (x_weight @ (y**2).T / count - mean_y**2)
    return np.divide(covariance, np.sqrt(variances.clip(0)), out=np.zeros_like(count), where=variances > 1e-9)


def _same_faces(earlier: Sequence[_Seen], first: _Seen) -> list[tuple[int, int, int, int]]:
    """The pairs of `Cut.same` of the last frames of earlier shots and the first one of a new shot, most similar first.

    All these frames have faces.
    """
    faces = [(seen.number, face) for seen in earlier for face in range(len(seen.looks))]
    looks = [look for seen in earlier for look in seen.looks]
    ranks = [np.stack([_ranks(cells) for cells, _ in some]) for some in (looks, first.looks)]
    clear = [np.stack([_clear(cells, inside) for cells, inside in some]) for some in (looks, first.looks)]
    change = 1 - _correlation(ranks[0], clear[0], ranks[1], clear[1])
    change[clear[0] @ clear[1].T < LEAST_CLEAR * clear[0].shape[1]] = np.inf
    pairs = []
    while change.min() <= SAME_LOOK:
        face, later = np.unravel_index(change.argmin(), change.shape)
        pairs.append((*faces[face], first.number, int(later)))
        change[face], change[:, later] = np.inf, np.inf
    return pairs


def _enlarged(xyxy_px: np.ndarray) -> np.ndarray:
    """The square of a face's look."""
    centre_px, side_px = (xyxy_px[:2] + xyxy_px[2:]) / 2, LOOK_SCALE * (xyxy_px[2:] - xyxy_px[:2]).max()
    return np.concatenate([centre_px - side_px / 2, centre_px + side_px / 2])


def _cells(rgb: np.ndarray, xyxy_px: np.ndarray, grid: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean colours of a grid of cells over a box, float [grid, grid, 3], and which are in the frame, bool [grid, grid].

    Cells past the frame's edge repeat what is there.
    """
    share = (np.arange(grid * SAMPLES) + 0.5) / (grid * SAMPLES)
    (x1, y1, x2, y2), (height, width) = xyxy_px, rgb.shape[:2]
    down, across = (np.floor(first + share * (last - first)).astype(int) for first, last in ((y1, y2), (x1, x2)))
    sampled = rgb[down.clip(0, height - 1)[:, None], across.clip(0, width - 1)]
    inside = ((down >= 0) & (down < height))[:, None] & ((across >= 0) & (across < width))
    blocks = (grid, SAMPLES, grid, SAMPLES)
    return sampled.reshape(*blocks, 3).mean(axis=(1, 3)), inside.reshape(blocks).all(axis=(1, 3))


def _clear(cells: np.ndarray, inside: np.ndarray | bool = True) -> np.ndarray:
    """1 for each value [K] of cells [grid, grid, 3] that is not clipped and `inside` the frame, else 0."""
    clear = (cells >= DARKEST) & (cells <= BRIGHTEST) & np.asarray(inside)[..., None]
    return clear.ravel().astype(float)


def _ranks(cells: np.ndarray) -> np.ndarray:
    """The rank of each cell's level within its colour, 0 to 1, float [K]; equal levels share their mean rank."""
    levels = np.round(cells).astype(np.uint8).reshape(-1, 3)
    ranks = np.empty(levels.shape)
    for colour in range(3):
        counts = np.bincount(levels[:, colour], minlength=256)
        ranks[:, colour] = ((np.cumsum(counts) - counts / 2) / len(levels) - 0.5)[levels[:, colour]]
    return ranks.ravel()
