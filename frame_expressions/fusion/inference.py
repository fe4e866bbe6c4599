"""From the features of whole tracks to their logits.

Shapes: T frames of a track, C classes.
"""

from collections.abc import Iterable

import numpy as np
import torch

from frame_expressions.artifacts.feature_shards import FeatureRows, FeatureShards
from frame_expressions.artifacts.vocabulary import NEAREST_FEATURE
from frame_expressions.corpora.folds import Fold
from frame_expressions.fusion.missing import imputed_frames, nearest_rows
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
    filling: str,
) -> np.ndarray:
    """Logits [T, C] float32 of one track, whose incomplete frames are filled.

    visual [T, V], audio [T, A]: float16, as feature shards hold them; any finite value where missing.
    visual_present, audio_present: bool [T].
    filling: see `missing.filling_of`.
        alone: a modality that a frame lacks is missing; a frame with neither takes the logits of the nearest other one.
        nearest_frame: an incomplete frame takes those of the nearest complete one (the earlier of two), which equals
            taking both of its features. A track without a complete frame is filled as with alone.
        nearest_feature: each modality that a frame lacks is that of the nearest frame that has it (the later of two). A
            modality that no frame of the track has is missing.
    """
    if filling == NEAREST_FEATURE:
        moved = [
            _Moved(features, nearest_rows(present, prefer_later=True))
            for features, present in ((visual, visual_present), (audio, audio_present))
        ]
        is_anywhere = [np.full(len(present), present.any()) for present in (visual_present, audio_present)]
        return predict_logits(model, *moved, *is_anywhere)
    logits = predict_logits(model, visual, audio, visual_present, audio_present)
    return fill_from_nearest(logits, ~imputed_frames(visual_present, audio_present, filling))


class _Moved:
    """Features [T, D] whose row t is that of another frame, rows[t]; read when they are asked for."""

    def __init__(self, features: np.ndarray | FeatureRows, rows: np.ndarray):
        self._features, self._rows = features, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, numbers: np.ndarray) -> np.ndarray:
        return self._features[self._rows[numbers]]


def track_logits(
    model: FusionModel, shards: dict[str, FeatureShards], tracks: Iterable[str], filling: str
) -> dict[str, np.ndarray]:
    """`frame_logits` of every track. shards: of the modalities `visual` and `audio`."""
    logits = {}
    for track in tracks:
        visual, visual_present = shards["visual"][track]
        audio, audio_present = shards["audio"][track]
        logits[track] = frame_logits(model, visual, audio, visual_present, audio_present, filling)
    return logits


DESCRIBED = ("time_s", "detected", "padded_share")
"""Columns of the visual shards' index that describe a frame and are stored with its logits."""


def presence(shards: dict[str, FeatureShards], tracks: Iterable[str], filling: str) -> dict[str, np.ndarray]:
    """The columns of `LOGITS` that say which frames show the face, have audio and are imputed, bool [N]."""
    columns = {name: [np.zeros(0, bool)] for name in ("face_present", "audio_present", "imputed")}
    for track in tracks:
        face, audio = (shards[modality][track][1] for modality in ("visual", "audio"))
        for column, values in zip(columns.values(), (face, audio, imputed_frames(face, audio, filling)), strict=True):
            column.append(values)
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def describe_frames(
    shards: dict[str, FeatureShards], tracks: Iterable[str], labels: dict[str, np.ndarray], fold: Fold, filling: str
) -> dict[str, np.ndarray]:
    """The columns that `write_logits` stores with the logits of labelled tracks, concatenated over the tracks.

    shards: the visual ones opened with the columns DESCRIBED. labels: int8 [T] by track. fold: the roles of the tracks.
    """
    tracks = list(tracks)
    lengths = [len(labels[track]) for track in tracks]
    return {
        **presence(shards, tracks, filling),
        "label": np.concatenate([np.zeros(0, np.int8), *(labels[track] for track in tracks)]),
        **{name: shards["visual"].column(name, tracks) for name in DESCRIBED},
        "selection": np.repeat([track in fold.selection for track in tracks], lengths),
        "heldout": np.repeat([track in fold.heldout for track in tracks], lengths),
    }


def fill_from_nearest(logits: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Replace the logits [T, C] of each unknown frame by those of the nearest known one, the earlier of two.

    known: bool [T]. If no frame is known, the logits are returned unchanged.
    """
    return logits[nearest_rows(known)]
