"""The configuration, checked before anything runs."""

import difflib
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from workflow_scripts.lib.errors import InputError
from workflow_scripts.lib.given_files import missing_given_files


def check_config(config: dict, schema: Path) -> None:
    """Raise InputError with one sentence that names the first key at fault, or a file that it names in vain."""
    check_keys(config, schema)
    for sentence in missing_given_files(config):
        raise InputError(sentence)


def check_keys(config: dict, schema: Path) -> None:
    """Raise InputError with one sentence that names the first key at fault and what it may be."""
    rules = yaml.safe_load(Path(schema).read_text())
    error = best_match(Draft202012Validator(rules).iter_errors(config))
    if error is not None:
        raise InputError(f"configuration: {_sentence(error)}")
    _check_stage1(config["stage1"])


def _sentence(error: ValidationError) -> str:
    place = ".".join(map(str, error.absolute_path))
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        key = next(key for key in error.instance if key not in known)
        name = f"{place}.{key}" if place else key
        close = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}."
        return f"unknown key {name!r}; {hint}"
    if "description" in error.schema:
        return f"{place}: {error.instance!r} is not {error.schema['description']}."
    return f"{place or 'top level'}: {error.message}."


def _check_stage1(stage1: dict) -> None:
    """Numbers that have to fit each other."""
    batch_size, num_processes = stage1["training"]["batch_size"], stage1["num_processes"]
    if batch_size % num_processes:
        raise InputError(
            f"configuration: stage1.num_processes: {num_processes} processes cannot share batches of {batch_size} "
            "images equally; choose a number that divides stage1.training.batch_size."
        )
    top_k, num_experts = stage1["moe"]["top_k"], stage1["moe"]["num_experts"]
    if top_k is not None and top_k > num_experts:
        raise InputError(
            f"configuration: stage1.moe.top_k: no image can go to {top_k} of {num_experts} experts; "
            "choose at most stage1.moe.num_experts, or null for all."
        )
