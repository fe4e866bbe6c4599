"""Encoders in Hugging Face layout: randomly initialised, fetched from the hub, or read from a local folder."""

import json
from pathlib import Path

import httpx2
import huggingface_hub
import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, PreTrainedModel

from frame_expressions.artifacts.atomic import atomic_write_folder
from frame_expressions.runtime.errors import InputError

transformers.utils.logging.disable_progress_bar()  # loading takes seconds and the logs are read by people

# How a checkpoint expects its images or waveform, in Hugging Face layout.
PREPROCESSOR = "preprocessor_config.json"

# They mask a share of the input in pre-training; some checkpoints omit them, and inference does not use them.
_PRETRAINING_ONLY = ("masked_spec_embed", "mask_token")


def random_encoder(architecture: dict, seed: int) -> PreTrainedModel:
    """An encoder with random weights from a Hugging Face configuration; `model_type` names its family."""
    settings = dict(architecture)
    try:
        config = AutoConfig.for_model(settings.pop("model_type"), **settings)
    except (KeyError, ValueError) as error:
        raise InputError(
            f"The encoder's architecture is unknown: {error}", "choose a model_type that transformers has"
        ) from error
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoModel.from_config(config)


def load_encoder(folder: Path | str, revision: str | None = None) -> PreTrainedModel:
    """Load an encoder from a local folder, or from the hub at a revision, and check that no weight is missing.

    The encoder is in eval mode and in float32, whatever the stored precision. No code of the checkpoint is run. Raises
    InputError for a checkpoint that is not a Hugging Face model, has no safetensors (in a folder), cannot be fetched,
    or lacks weights of its architecture.
    """
    here = revision is None or not hub_answers()
    try:
        model, report = AutoModel.from_pretrained(
            folder,
            revision=revision,
            dtype=torch.float32,  # not the file's own: audio is float32, and half precision barely trains
            local_files_only=here,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are reported, and refused below
            # Some checkpoints of the hub are not safetensors; they too are read as tensors only.
            use_safetensors=True if revision is None else None,
            weights_only=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError, SafetensorError) as error:
        if revision is None:
            remedy = "give a folder with config.json and model.safetensors, or delete it if the workflow made it"
        elif huggingface_hub.constants.HF_HUB_OFFLINE:
            remedy = "unset HF_HUB_OFFLINE, which forbids downloads, and run `snakemake --cores 1 fetch_models`"
        else:
            remedy = (
                "run `snakemake --cores 1 fetch_models` with the same --configfile on a network, correct "
                "encoders.*.hub and revision, or set encoders.*.source to path and path to a folder that holds it"
            )
        raise InputError(
            f"{folder} cannot be loaded as a Hugging Face model ({str(error).splitlines()[0].rstrip('.')})", remedy
        ) from error
    unfit = {*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])}
    missing = sorted(key for key in unfit if not key.endswith(_PRETRAINING_ONLY))
    if missing:
        raise InputError(
            f"{folder} lacks {len(missing)} weights of its architecture, {missing[0]} among them",
            "give the config.json that belongs to these weights",
        )
    return model.eval()


def hub_answers() -> bool:
    """Whether the hub can be reached. Asks once; the hub's own client retries for half a minute."""
    if huggingface_hub.constants.HF_HUB_OFFLINE:
        return False
    try:
        huggingface_hub.get_session().head(huggingface_hub.constants.ENDPOINT, timeout=10)
    except httpx2.TransportError:
        return False
    return True


def save_encoder(model: PreTrainedModel, folder: Path) -> None:
    """Write config.json and model.safetensors into `folder`, each whole or not at all."""
    with atomic_write_folder(folder) as temporary:
        model.save_pretrained(temporary)


def load_feature_extractor(folder: Path):
    """The waveform normalisation of a speech checkpoint, or None if its folder has none.

    No code of the checkpoint is run. Raises InputError for one that transformers does not know.
    """
    if not (folder / PREPROCESSOR).is_file():
        return None
    try:
        return AutoFeatureExtractor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder / PREPROCESSOR} cannot be read ({str(error).splitlines()[0].rstrip('.')})",
            "give the checkpoint's own file, or, if the workflow made it, delete it and run the workflow again",
        ) from error


def fetch_preprocessor(hub: str, revision: str) -> dict | None:
    """The hub's description of how a checkpoint expects its images or waveform, or None if there is none.

    Raises InputError if the hub does not answer and the local cache does not show whether it has one.
    """
    if hub_answers():
        if not huggingface_hub.file_exists(hub, PREPROCESSOR, revision=revision):
            return None
        copy = huggingface_hub.hf_hub_download(hub, PREPROCESSOR, revision=revision)
    else:
        copy = huggingface_hub.try_to_load_from_cache(hub, PREPROCESSOR, revision=revision)
        if copy is None:
            raise InputError(
                f"The hub does not answer whether {hub} has a {PREPROCESSOR}",
                "run `snakemake --cores 1 fetch_models` with the same --configfile on a network",
            )
        if not isinstance(copy, str):  # cached: the hub has none
            return None
    return json.loads(Path(copy).read_text())
