"""From the features of whole tracks to their logits.

Shapes: T frames of a track, C classes.
"""

from collections.abc import Iterable

import numpy as np
import torch

from frame_expressions.artifacts.feature_shards import FeatureRows, FeatureShards
from frame_expressions.corpora.folds import Fold
from frame_expressions.fusion.model import FusionModel


@torch.inference_mode()
def predict_logits(
    model: FusionModel,
    visual: np.ndarray | FeatureRows,
    audio: np.ndarray | FeatureRows,
    visual_present: np.ndarray,
    audio_present: np.ndarray,
    rows: np.ndarray | None = None,
    batch_size: int = 8192,
) -> np.ndarray:
    """Logits [T, C] float32 of features [T, D] and presence [T], or of some of their rows; reads batch by batch.

    A frame with neither face nor audio gets the logits of two missing modalities; see `frame_logits`.
    """
    device = next(model.parameters()).device
    rows = np.arange(len(visual)) if rows is None else rows
    batches = [torch.zeros(0, model.settings["num_classes"])]
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        parts = (visual[batch], audio[batch], visual_present[batch], audio_present[batch])
        batches.append(model(*(torch.from_numpy(part).to(device) for part in parts)).cpu())
    return torch.cat(batches).numpy()


def frame_logits(
    model: FusionModel,
    visual: np.ndarray | FeatureRows,
    audio: np.ndarray | FeatureRows,
    visual_present: np.ndarray,
    audio_present: np.ndarray,
) -> np.ndarray:
    """Logits [T, C] float32 of one track; a frame with neither face nor audio takes those of the nearest other frame.

    visual [T, V], audio [T, A]: float16, as feature shards hold them; any finite value where missing.
    visual_present, audio_present: bool [T].
    """
    logits = predict_logits(model, visual, audio, visual_present, audio_present)
    return fill_from_nearest(logits, visual_present | audio_present)


def track_logits(model: FusionModel, shards: dict[str, FeatureShards], tracks: Iterable[str]) -> dict[str, np.ndarray]:
    """`frame_logits` of every track. shards: of the modalities `visual` and `audio`."""
    logits = {}
    for track in tracks:
        visual, visual_present = shards["visual"][track]
        audio, audio_present = shards["audio"][track]
        logits[track] = frame_logits(model, visual, audio, visual_present, audio_present)
    return logits


def mean_track_logits(
    models: Iterable[FusionModel], shards: dict[str, FeatureShards], tracks: Iterable[str]
) -> dict[str, np.ndarray]:
    """The mean of several models' `track_logits`, [T, C] float32 by track; a single model's are unchanged."""
    tracks = list(tracks)
    found = [track_logits(model, shards, tracks) for model in models]
    return {
        track: np.mean([logits[track] for logits in found], axis=0, dtype=np.float64).astype(np.float32)
        for track in tracks
    }


DESCRIBED = ("time_s", "detected", "padded_share")
"""Columns of the visual shards' index that describe a frame and are stored with its logits."""


def presence(shards: dict[str, FeatureShards], tracks: Iterable[str]) -> dict[str, np.ndarray]:
    """The columns of `LOGITS` that say which frames show the face and have audio, bool [N], over the tracks."""
    tracks = list(tracks)
    present = {modality: of_modality.stacked(tracks)[1] for modality, of_modality in shards.items()}
    return {"face_present": present["visual"], "audio_present": present["audio"]}


def describe_frames(
    shards: dict[str, FeatureShards], tracks: Iterable[str], labels: dict[str, np.ndarray], fold: Fold
) -> dict[str, np.ndarray]:
    """The columns that `write_logits` stores with the logits of labelled tracks, concatenated over the tracks.

    shards: the visual ones opened with the columns DESCRIBED. labels: int8 [T] by track. fold: the roles of the tracks.
    """
    tracks = list(tracks)
    lengths = [len(labels[track]) for track in tracks]
    return {
        **presence(shards, tracks),
        "label": np.concatenate([np.zeros(0, np.int8), *(labels[track] for track in tracks)]),
        **{name: shards["visual"].column(name, tracks) for name in DESCRIBED},
        "selection": np.repeat([track in fold.selection for track in tracks], lengths),
        "heldout": np.repeat([track in fold.heldout for track in tracks], lengths),
    }


def fill_from_nearest(logits: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Replace the logits [T, C] of each unknown frame by those of the nearest known one, the earlier of two.

    known: bool [T]. If no frame is known, the logits are returned unchanged.
    """
    rows = np.flatnonzero(known)
    if len(rows) == 0:
        return logits
    position = np.arange(len(logits))
    after = np.minimum(np.searchsorted(rows, position), len(rows) - 1)
    before = np.maximum(after - 1, 0)
    is_before = np.abs(position - rows[before]) <= np.abs(rows[after] - position)
    return logits[np.where(is_before & ~known, rows[before], rows[after])]
