"""Convert a published gate and its statistics to a fusion model, which replaces one trained here."""

import logging
from pathlib import Path

from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.fusion.gate_import import gate_from_original, read_statistics
from frame_expressions.networks.published_weights import read_state_dict
from frame_expressions.runtime.job import log_to


def run(*, weights: Path, statistics: list[Path], model: Path) -> None:
    """Write a fusion model from a gate's state dict and its four statistics.

    statistics: .npy vectors; none if the checkpoint holds them itself.
    """
    logging.info("importing the gate %s", weights)
    fusion = gate_from_original(read_state_dict(weights), read_statistics(weights, statistics), weights)
    fusion.save(model, provenance_of({"head": "gate"}, [weights, *statistics]))
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
            statistics=[Path(path) for path in job.input.statistics],
            model=Path(job.output.model),
        )
