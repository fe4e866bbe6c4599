"""The configuration, checked before anything runs.

Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

import contextlib
import difflib
from collections.abc import Sequence
from functools import reduce
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from frame_expressions.artifacts.file_names import path_fault
from frame_expressions.runtime.errors import InputError
from frame_expressions.workflow.ablation_plan import settings_of_head
from frame_expressions.workflow.input_files import missing_given_files

CROSS_ATTENTION_HEADS = 8
"""A copy of the number in `fusion.heads`, which imports torch."""

MOVED = {
    "limits": "execution.limits",
    "limits.picture_s": "execution.limits.frame_timeout_s",
    "execution.limits.picture_s": "execution.limits.frame_timeout_s",
    "corpus.on_bad_video": "execution.on_bad_video",
    "stage1.training.num_workers": "execution.num_workers",
    "subject.overrides": "corpus.overrides",
    "encoders.speech": "encoders.audio",
    "contact_sheets.picture_px": "contact_sheets.frame_width_px",
}
"""Settings of version 0.1 and their names since 0.2."""

REPLACED = {
    "imported.fusion": (
        "imported.gates",
        "put the weights and train_vis_mean.npy, train_vis_std.npy, train_aud_mean.npy and train_aud_std.npy into one "
        "folder, and set imported.gates to it",
    ),
}
"""Settings that another one has replaced, and what to do."""

PATHS_AND_NAMES = ("predict_videos", "predict_model", "predict_name")
"""Settings of the command line that are always text."""


def restore_texts(config: dict, arguments: Sequence[str]) -> None:
    """Set the paths and names that Snakemake has read as something else, in place.

    arguments: Snakemake's command line. A folder 001 or 1_2 is a number to Snakemake, which parses the values of
    --config. Shells do not expand ~ after = or within quotes.
    """
    for argument in arguments:
        key, is_given, value = argument.removeprefix("--config=").removeprefix("-C").partition("=")
        if is_given and key in PATHS_AND_NAMES and not isinstance(config.get(key), str | None):
            config[key] = value
    _expand_homes(config)


def _expand_homes(block: dict | list) -> None:
    for key, value in block.items() if isinstance(block, dict) else enumerate(block):
        if isinstance(value, dict | list):
            _expand_homes(value)
        elif isinstance(value, str) and (value == "~" or value.startswith("~/")):
            block[key] = str(Path(value).expanduser())


def check_config(config: dict, schema: Path) -> None:
    """Raise InputError for the first invalid key, or for a configured file that does not exist."""
    check_keys(config, schema)
    for error in missing_given_files(config):
        raise error


def check_keys(config: dict, schema: Path) -> None:
    """Raise InputError for the first invalid key, with the values that it may have."""
    for old, new in MOVED.items():
        if _has(config, old):
            raise InputError(f"configuration: {old} is now {new}", "rename it")
    for old, (new, remedy) in REPLACED.items():
        if _has(config, old):
            raise InputError(f"configuration: {old} was replaced by {new}", remedy)
    rules = yaml.safe_load(Path(schema).read_text())
    error = best_match(Draft202012Validator(rules).iter_errors(config))
    if error is not None:
        raise InputError(f"configuration: {_fault(error)}", _remedy(error))
    _check_texts("", config)
    _check_stage1(config["stage1"])
    _check_sizes(config)


def check_ablation(config: dict) -> None:
    """Raise InputError for settings that do not fit one of the ablation's fusion heads."""
    settings = settings_of_head(config["fusion"], config["ablation"]["heads"], "cross_attention")
    own = config["ablation"]["heads"].get("cross_attention", {}).get("head_settings", {})
    block = "ablation.heads.cross_attention" if "num_fused" in own else "fusion"
    _check_num_fused(settings, block, "the ablation's head cross_attention")


def _has(config: dict, place: str) -> bool:
    *folders, key = place.split(".")
    block = reduce(lambda node, name: node.get(name, {}) if isinstance(node, dict) else {}, folders, config)
    return isinstance(block, dict) and key in block


_ALSO_CALLED = {"gpu": "cuda"}  # difflib would suggest cpu


def _fault(error: ValidationError) -> str:
    """What is wrong, with the dotted key."""
    place = ".".join(map(str, error.absolute_path))
    if error.validator == "additionalProperties":
        key = ".".join(map(str, (*error.absolute_path, _unknown_key(error))))
        return f"unknown key {key!r}"
    if "description" in error.schema:
        return f"{place}: {error.instance!r} is not {error.schema['description']}"
    if error.validator == "enum":
        return f"{place}: {error.instance!r} is not one of {', '.join(map(str, error.validator_value))}"
    if error.validator == "type":
        written = "null" if error.instance is None else repr(error.instance)
        return f"{place}: {written} is not {' or '.join(_KINDS[kind] for kind in _kinds(error))}"
    return f"{place or 'top level'}: {error.message}"


def _remedy(error: ValidationError) -> str:
    """What to write instead."""
    place = ".".join(map(str, error.absolute_path))
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        close = difflib.get_close_matches(_unknown_key(error), known, n=1)
        return f"did you mean {close[0]!r}?" if close else f"the known keys are {', '.join(known)}"
    if error.validator == "enum" and "description" not in error.schema:
        meant = _ALSO_CALLED.get(str(error.instance), str(error.instance))
        close = difflib.get_close_matches(meant, list(map(str, error.validator_value)), n=1)
        return f"did you mean {close[0]!r}?" if close else "choose one of these"
    if error.validator == "type":
        return _rewritten(place, error.instance, _kinds(error))
    return "see config.yaml for an example"


def _unknown_key(error: ValidationError) -> str:
    return next(key for key in error.instance if key not in error.schema["properties"])


def _kinds(error: ValidationError) -> list[str]:
    wanted = error.validator_value
    return [wanted] if isinstance(wanted, str) else wanted


_KINDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "a block of keys",
    "string": "text",
}


def _rewritten(place: str, value: object, wanted: list[str]) -> str:
    """How to write a value that has the wrong type."""
    if "array" in wanted and not isinstance(value, dict | None):
        return f"write {place}: [{value}]"
    if {"integer", "number"} & set(wanted) and isinstance(value, str):
        with contextlib.suppress(ValueError):
            number = float(value)  # other text has no such remedy
            if "e" in value.lower():
                return f"write {number} (YAML reads 1e-3 as text, and 1.0e-3 as a number)"
            return f"write {value} without quotes, in a --configfile (--config turns it into text)"
    if "string" in wanted and "integer" not in wanted and isinstance(value, int | float):
        return f'write {place}: "{value}"'
    return "see config.yaml for an example"


def _check_texts(place: str, value: object) -> None:
    """Check every text: any of them may be a path, which becomes a rule's input."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        _check_texts(f"{place}.{key}" if place else str(key), part)
    if isinstance(value, str) and (fault := path_fault(value)):
        raise InputError(f"configuration: {place}: {value!r} {fault}", "rename the file or folder")


def _check_stage1(stage1: dict) -> None:
    """Numbers that must be consistent with each other, and names that must differ."""
    names = [images["name"] for images in stage1["image_sets"]]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"configuration: stage1.image_sets: two sets have the name {twice!r}", "rename one of them")
    batch_size, num_processes = stage1["training"]["batch_size"], stage1["num_processes"]
    if batch_size % num_processes:
        raise InputError(
            (
                f"configuration: stage1.num_processes: {num_processes} processes cannot share batches of "
                f"{batch_size} images equally"
            ),
            "choose a number that divides stage1.training.batch_size",
        )
    top_k, num_experts = stage1["moe"]["top_k"], stage1["moe"]["num_experts"]
    if top_k is not None and top_k > num_experts:
        raise InputError(
            f"configuration: stage1.moe.top_k: an image cannot be sent to {top_k} of {num_experts} experts",
            "choose at most stage1.moe.num_experts, or null for all",
        )


def _check_sizes(config: dict) -> None:
    """Sizes that must be consistent with each other."""
    visual = config["encoders"]["visual"]
    if visual["image_px"] > visual["resize_px"]:
        raise InputError(
            (
                f"configuration: encoders.visual.resize_px: crops of {visual['resize_px']} px are smaller than the "
                f"encoder's input of {visual['image_px']} px"
            ),
            "set it to at least encoders.visual.image_px",
        )
    if config["fusion"]["head"] == "cross_attention":
        _check_num_fused(config["fusion"], "fusion", "fusion.head cross_attention")


def _check_num_fused(settings: dict, block: str, head: str) -> None:
    """settings: the block `fusion` of `head`, whose width is set in `block`."""
    num_fused = settings["head_settings"]["num_fused"]
    if num_fused % CROSS_ATTENTION_HEADS:
        raise InputError(
            (
                f"configuration: {block}.head_settings.num_fused: {num_fused} is not a multiple of "
                f"{CROSS_ATTENTION_HEADS}, which {head} needs"
            ),
            "choose a multiple",
        )
