"""Figure 4: search of the smoothing over 4 kinds x windows 3, 5, ... 205 on a corpus of the validation set's size.

The logits are synthetic; the lengths of the tracks and the number of labelled frames are those of the 10th edition. The
unit is one window with all four kinds. Everything runs on one core, like the rule.
"""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
from scipy.ndimage import correlate1d, gaussian_filter1d, median_filter, uniform_filter1d
from scipy.signal import lfilter
from sklearn.metrics import f1_score

from benchmarks.measuring import Row, added_mib, compared, limited, on_cores, seconds_in_turns, show
from frame_expressions.artifacts.logits import LabelledLogits, read_labelled_logits, write_logits
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.smoothing.search import SmoothingSearchSettings, search
from frame_expressions.smoothing.smoothing import INCLUDE, Smoothing
from workflow_scripts import search_smoothing

FOLDER = Path("results/bench/smoothing")
KINDS = ["mean", "median", "gaussian", "vote"]
WINDOWS = list(range(3, 206, 2))
PEER_WINDOWS = WINDOWS[::10]
"""A subset of the windows with the same mean width: the peer takes more than a minute for all."""

NUM_LABELLED = 284_230
CLASS_FRAMES = [83_176, 6_127, 5_322, 8_473, 34_941, 25_594, 12_338, 108_259]
# fmt: off
LENGTHS = [
    397, 461, 588, 838, 965, 1729, 1790, 1913, 2213, 2420, 2605, 3032, 3114, 3363, 3459, 3592, 3593, 3614, 3678, 3813,
    3938, 4002, 4128, 4173, 4366, 4406, 4414, 4488, 4568, 4578, 4583, 4779, 4787, 4852, 4926, 5403, 5466, 5584, 5660,
    5951, 6082, 6154, 6287, 6287, 6755, 6842, 7044, 7173, 7684, 7863, 7935, 7986, 8013, 8124, 8166, 8553, 9244, 9424,
    9777, 10103, 10282, 10495, 10629, 13016, 15041, 15606, 15659, 18145, 19695, 27242,
]
# fmt: on


def rows() -> list[Row]:
    """Speed relative to scipy and to reading the logits, difference of the scores, and the memory of the rule."""
    on_cores(1)
    file = FOLDER / "val_logits.parquet"
    if not file.exists():
        _write(_synthetic(LENGTHS, NUM_LABELLED), file)
    frames = read_labelled_logits(file, "selection")
    together = np.concatenate(list(frames.logits.values()))
    part = SmoothingSearchSettings(KINDS, PEER_WINDOWS, None, INCLUDE).candidates
    seconds = seconds_in_turns(
        {
            "ours": (partial(_ours, frames), len(WINDOWS)),
            "peer": (partial(_slow_scores, frames, part[1:]), len(PEER_WINDOWS)),
            "reference": (lambda: [together.max() for _ in WINDOWS], len(WINDOWS)),
        }
    )
    scores = dict(_ours(frames))
    slowly = _slow_scores(frames, list(scores))
    furthest = max(abs(scores[tried] - score) for tried, score in slowly)
    return [
        compared("4 smoothing search", seconds, "window, 4 kinds", times_peer=5, of_reference=None),
        limited(f"4 largest difference of {len(scores)} scores from the peer's", furthest, "macro-F1", at_most=1e-9),
        limited("4 peak memory above the interpreter", added_mib(_rule, file), "MiB", at_most=1024),
    ]


def growth_work(scale: int) -> Callable[[], object]:
    """The search over a quarter of the tracks, repeated `scale` times."""
    return partial(_ours, _synthetic(LENGTHS[::4] * scale, sum(LENGTHS[::4]) * scale * 5 // 8))


def _ours(frames: LabelledLogits) -> list[tuple[Smoothing, float]]:
    return search(frames, SmoothingSearchSettings(KINDS, WINDOWS, None, INCLUDE).candidates)


def _slow_scores(frames: LabelledLogits, candidates: Iterable[Smoothing]) -> list[tuple[Smoothing, float]]:
    """The peer: scipy for each track, kind and window; macro-F1 by scikit-learn."""
    labelled = frames.labels >= 0
    truth = frames.labels[labelled]
    scored = []
    for smoothing in candidates:
        kind, window = smoothing.kind, smoothing.window_frames
        smoothed = np.concatenate([_smoothed(logits, kind, window) for logits in frames.logits.values()])
        predicted = smoothed.argmax(axis=1)[labelled]
        score = f1_score(truth, predicted, labels=range(8), average="macro", zero_division=0)
        scored.append((smoothing, score))
    return scored


def _smoothed(logits: np.ndarray, kind: str, window: int) -> np.ndarray:
    values = logits.astype(np.float64)
    if kind == "mean":
        return uniform_filter1d(values, window, axis=0, mode="nearest")
    if kind == "median":
        # One column at a time: with size=(window, 1) scipy is ten to sixty times slower.
        return np.stack([median_filter(column, window, mode="nearest") for column in values.T], axis=1)
    if kind == "gaussian":
        return gaussian_filter1d(values, window / 4, axis=0, mode="nearest", radius=window // 2)
    if kind == "vote":
        votes = np.eye(values.shape[1], dtype=np.int32)[values.argmax(axis=1)]
        return correlate1d(votes, np.ones(window, np.int32), axis=0, mode="nearest")
    return values


def _rule(logits: Path) -> None:
    search_smoothing.run(
        logits=[logits],
        role="selection",
        table=FOLDER / "search.parquet",
        best=FOLDER / "best.json",
        curve=FOLDER / "curve.png",
        settings=SmoothingSearchSettings(KINDS, WINDOWS, None, INCLUDE),
    )


def _synthetic(lengths: list[int], num_labelled: int) -> LabelledLogits:
    """Expressions that last some seconds, logits for them with slow and fast noise, and gaps in the labels."""
    rng = np.random.default_rng(3407)
    share = np.array(CLASS_FRAMES) / sum(CLASS_FRAMES)
    num_frames = sum(lengths)
    shown = np.cumsum(rng.random(num_frames) < 1 / 120)
    labels = rng.choice(8, shown[-1] + 1, p=share)[shown].astype(np.int8)
    slow = lfilter([1 - 0.98], [1, -0.98], rng.normal(scale=12, size=(num_frames, 8)), axis=0)
    quick = rng.normal(scale=0.75, size=(num_frames, 8))
    logits = (1.2 * np.eye(8)[labels] + 0.5 * np.log(share) + slow + quick).astype(np.float32)
    attention = lfilter([1], [1, -0.999], rng.normal(size=num_frames))
    labels[np.argsort(attention)[num_labelled:]] = -1
    ends = np.cumsum(lengths)
    names = [f"track{number:04d}" for number in range(len(lengths))]
    return LabelledLogits(
        dict(zip(names, np.split(logits, ends[:-1]), strict=True)),
        {name: np.arange(length) / 30 for name, length in zip(names, lengths, strict=True)},
        {name: np.zeros(length, bool) for name, length in zip(names, lengths, strict=True)},
        labels,
        np.ones(num_frames, bool),
        np.zeros(num_frames, np.float32),
        np.ones(num_frames, bool),
    )


def _write(frames: LabelledLogits, path: Path) -> None:
    columns = {
        "face_present": np.ones(len(frames.labels), bool),
        "audio_present": np.ones(len(frames.labels), bool),
        "imputed": np.concatenate(list(frames.imputed.values())),
        "time_s": np.concatenate(list(frames.time_s.values())),
        "label": frames.labels,
        "detected": frames.detected,
        "padded_share": frames.padded_share,
        "selection": np.ones(len(frames.labels), bool),
        "heldout": np.zeros(len(frames.labels), bool),
    }
    write_logits(frames.logits, path, provenance_of({"seed": 3407}), columns)


if __name__ == "__main__":
    show(rows())
