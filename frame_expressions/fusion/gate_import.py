"""Converts the published gate and its statistics to a fusion model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from frame_expressions.artifacts.vocabulary import NUM_CLASSES
from frame_expressions.fusion.gate_files import STATISTICS
from frame_expressions.fusion.missing import COMPLETE
from frame_expressions.fusion.model import FusionModel
from frame_expressions.networks.published_weights import check_names, check_tensors, read_checkpoint, read_vector
from frame_expressions.runtime.errors import InputError

LEAST_STD = 1e-6
"""Smaller standard deviations count as this one, as in the authors' inference."""

_NAMES = tuple(
    f"{layer}.{kind}"
    for layer in ("vis_proj", "aud_proj", "gate.0", "gate.3", "cls.0", "cls.2")
    for kind in ("weight", "bias")
)


def read_statistics(weights: Path, files: Sequence[Path]) -> dict[str, np.ndarray]:
    """The four statistics of a gate by name, float32 [D] each: from .npy files, or if none are given from its weights.

    files: named as in `gate_files`. Raises InputError if the checkpoint lacks one, or if one is not a vector.
    """
    if files:
        return {path.stem: read_vector(path) for path in files}
    content = read_checkpoint(weights, "fetch it again") if weights.suffix != ".safetensors" else {}
    found = {name: content[name] for name in STATISTICS if isinstance(content, dict) and name in content}
    if len(found) < len(STATISTICS):
        raise InputError(
            f"{weights} lacks {', '.join(sorted(STATISTICS.keys() - found.keys()))}",
            f"put {', '.join(f'{name}.npy' for name in STATISTICS)} into its folder",
        )
    for name, values in found.items():
        if not isinstance(values, np.ndarray | torch.Tensor) or values.ndim != 1:
            raise InputError(
                f"{weights}: {name} is not a one-dimensional array of numbers", "put the four .npy files next to it"
            )
    return {name: np.asarray(values, np.float32) for name, values in found.items()}


def gate_from_original(
    state: dict[str, torch.Tensor], statistics: dict[str, np.ndarray], where: Path | str
) -> FusionModel:
    """A fusion model in eval mode from a gate's state dict and its statistics.

    state: vis_proj, aud_proj, gate.0, gate.3, cls.0 and cls.2, each with weight and bias. statistics: train_vis_mean,
    train_vis_std [V], train_aud_mean, train_aud_std [A], float32, of the L2-normalised training features; they are
    applied after the L2 norm, as the authors do, with standard deviations of at least LEAST_STD. where: the file that
    errors name. The model counts as trained on complete frames only, as the authors' is. Raises InputError if a tensor
    is missing, unknown, of the wrong shape or not finite, or if a standard deviation is negative. Source: the method's
    Stage II.
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
    for name in ("train_vis_std", "train_aud_std"):
        if (statistics[name] < 0).any():
            raise InputError(
                f"{where}: {name} has negative values", "give the standard deviations of the training features"
            )
        given[name] = given[name].clamp(min=LEAST_STD)
    model.load_state_dict({target: given[name] for name, target in targets.items()}, strict=True)
    return model.eval()
