"""Convert a published DINOv2 with the original parameter names to Hugging Face layout; it replaces Stage I's result."""

import logging
from pathlib import Path

from frame_expressions.encoders.dinov2_import import backbone_weights, dinov2_from_original, resize_positions
from frame_expressions.encoders.loading import save_encoder
from frame_expressions.networks.published_weights import read_state_dict
from frame_expressions.runtime.job import log_to


def run(*, given: Path, backbone: Path, image_px: int) -> None:
    """Write the weights `given` into the folder `backbone` as config.json and model.safetensors (float32).

    image_px: side of the input images, for which the position embeddings are resized.
    """
    logging.info("importing the backbone %s", given)
    weights, heads = backbone_weights(read_state_dict(given), given)
    if heads:
        logging.info("left out %d tensors of the training head, which nothing uses: %s", len(heads), ", ".join(heads))
    model = dinov2_from_original(weights, given)
    resize_positions(model, image_px)
    save_encoder(model, backbone)
    logging.info(
        "made %s: %d layers, %d-d features, patches of %d px, positions for %d px",
        backbone,
        model.config.num_hidden_layers,
        model.config.hidden_size,
        model.config.patch_size,
        model.config.image_size,
    )


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            given=Path(job.input.given),
            backbone=Path(job.output.weights).parent,
            image_px=job.params.image_px,
        )
