"""Put an encoder on disk in Hugging Face layout: random weights, or from the hub."""

import json
import logging
from pathlib import Path

from frame_expressions.artifacts.provenance import sha256_of
from frame_expressions.artifacts.text import write_json
from frame_expressions.encoders.loading import (
    PREPROCESSOR,
    fetch_preprocessor,
    load_encoder,
    random_encoder,
    save_encoder,
)
from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.job import log_to


def run(
    *,
    folder: Path,
    record: Path,
    source: str,
    architecture: dict,
    preprocessor: dict,
    hub: str,
    revision: str,
    sha256: str | None,
    seed: int,
) -> None:
    """Write config.json, model.safetensors and preprocessor_config.json into `folder`, and a record of their origin.

    preprocessor: the content of preprocessor_config.json, if the hub has none.
    """
    logging.info("%s: source %s", folder, source)
    if source == "random":
        save_encoder(random_encoder(architecture, seed), folder)
    else:
        logging.info("fetching %s at revision %s", hub, revision)
        save_encoder(load_encoder(hub, revision), folder)
        preprocessor = fetch_preprocessor(hub, revision) or preprocessor
    write_json(preprocessor, folder / PREPROCESSOR)
    found = sha256_of(folder / "model.safetensors")
    if sha256 is not None and found != sha256:
        raise InputError(
            f"{hub} at revision {revision} has weights with SHA-256 {found} instead of the configured {sha256}",
            "correct encoders.*.sha256 if you trust them",
        )
    write_json({"source": source, "hub": hub, "revision": revision, "sha256": found}, record)
    size = json.loads((folder / "config.json").read_text()).get("hidden_size")
    logging.info("made %s: %s-d features, SHA-256 %s", folder, size, found)


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            folder=Path(job.output.weights).parent,
            record=Path(job.output.record),
            source=job.params.source,
            architecture=job.params.architecture,
            preprocessor=job.params.preprocessor,
            hub=job.params.hub,
            revision=job.params.revision,
            sha256=job.params.sha256,
            seed=job.params.seed,
        )
