"""Convert a published gate and its statistics to a fusion model, which replaces one trained here."""

import logging
from pathlib import Path

from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.fusion.gate_import import gate_from_original
from frame_expressions.networks.published_weights import read_state_dict, read_vector
from frame_expressions.runtime.job import log_to


def run(*, weights: Path, visual_mean: Path, visual_std: Path, audio_mean: Path, audio_std: Path, model: Path) -> None:
    """Write a fusion model from a gate's state dict and four statistics, each an .npy vector."""
    logging.info("importing the gate %s", weights)
    given = {
        "visual_mean": visual_mean,
        "visual_std": visual_std,
        "audio_mean": audio_mean,
        "audio_std": audio_std,
    }
    statistics = {name: read_vector(path) for name, path in given.items()}
    fusion = gate_from_original(read_state_dict(weights), statistics, weights)
    fusion.save(model, provenance_of({"head": "gate"}, [weights, *given.values()]))
    logging.info(
        "made %s: %d visual, %d audio and %d fused features",
        model,
        *(fusion.settings[name] for name in ("num_visual", "num_audio", "num_fused")),
    )


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            weights=Path(job.input.weights),
            visual_mean=Path(job.input.visual_mean),
            visual_std=Path(job.input.visual_std),
            audio_mean=Path(job.input.audio_mean),
            audio_std=Path(job.input.audio_std),
            model=Path(job.output.model),
        )
