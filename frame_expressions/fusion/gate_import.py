"""Converts the published gate and its statistics to a fusion model."""

from pathlib import Path

import numpy as np
import torch

from frame_expressions.artifacts.vocabulary import NUM_CLASSES
from frame_expressions.fusion.missing import COMPLETE
from frame_expressions.fusion.model import FusionModel
from frame_expressions.networks.published_weights import check_names, check_tensors
from frame_expressions.runtime.errors import InputError

STATISTICS = {
    "visual_mean": "visual_normalisation.mean",
    "visual_std": "visual_normalisation.std",
    "audio_mean": "audio_normalisation.mean",
    "audio_std": "audio_normalisation.std",
}
"""Statistics of the L2-normalised training features, and the names of the fusion model's buffers that hold them."""

_NAMES = tuple(
    f"{layer}.{kind}"
    for layer in ("vis_proj", "aud_proj", "gate.0", "gate.3", "cls.0", "cls.2")
    for kind in ("weight", "bias")
)


def gate_from_original(
    state: dict[str, torch.Tensor], statistics: dict[str, np.ndarray], where: Path | str
) -> FusionModel:
    """A fusion model in eval mode from a gate's state dict and its statistics.

    state: vis_proj, aud_proj, gate.0, gate.3, cls.0 and cls.2, each with weight and bias. statistics: visual_mean,
    visual_std [V], audio_mean, audio_std [A], float32, of the L2-normalised training features; they are applied after
    the L2 norm, as the authors do. where: the file that errors name. The model counts as trained on complete frames
    only, as theirs is. Raises InputError if a tensor is missing, unknown,
    of the wrong shape or not finite, or if a standard deviation is not positive. Source: the method's Stage II.
    """
    check_names(state, _NAMES, where)
    check_names(statistics, STATISTICS, where)
    projections = {name: state[f"{name}.weight"] for name in ("vis_proj", "aud_proj")}
    for name, weight in projections.items():
        if weight.ndim != 2:
            raise InputError(
                f"{where}: {name}.weight has the shape {tuple(weight.shape)}, not (fused, features)",
                "give the state dict of the published gate",
            )
    num_fused, num_visual = projections["vis_proj"].shape
    model = FusionModel(
        head="gate",
        num_visual=num_visual,
        num_audio=projections["aud_proj"].shape[1],
        num_classes=NUM_CLASSES,
        num_fused=num_fused,
        visual_dropout=0.0,  # unknown, and only used in training
        audio_dropout=0.0,
        dropout=0.0,
        trained_on=COMPLETE,
    )
    given = state | {name: torch.from_numpy(values) for name, values in statistics.items()}
    targets = {name: f"head.{name}" for name in _NAMES} | STATISTICS
    made = model.state_dict()
    check_tensors(given, {name: tuple(made[target].shape) for name, target in targets.items()}, where)
    for name in ("visual_std", "audio_std"):
        if not (statistics[name] > 0).all():
            raise InputError(
                f"{where}: {name} is not positive everywhere", "give the standard deviations of the training features"
            )
    model.load_state_dict({target: given[name] for name, target in targets.items()}, strict=True)
    return model.eval()
