"""The configuration, checked before anything runs."""

import contextlib
import difflib
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from frame_expressions.artifacts.file_names import path_fault
from frame_expressions.runtime.errors import InputError
from frame_expressions.workflow.input_files import missing_given_files

CROSS_ATTENTION_HEADS = 8
"""Those of `fusion.heads`, which brings torch and is not for every reading of the Snakefile."""


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
    _check_texts("", config)
    _check_stage1(config["stage1"])
    _check_sizes(config)


def check_ablation(config: dict) -> None:
    """Raise InputError for settings of the method that one of the ablation's heads cannot have."""
    _check_num_fused(config, "the ablation's head cross_attention")


_ALSO_CALLED = {"gpu": "cuda"}  # nearer to cpu, by its letters


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
    if error.validator == "enum":
        known = list(map(str, error.validator_value))
        meant = _ALSO_CALLED.get(str(error.instance), str(error.instance))
        close = difflib.get_close_matches(meant, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        return f"{place}: {error.instance!r} is not one of {', '.join(known)}{hint}"
    if error.validator == "type":
        return f"{place}: {_wrong_kind(place, error.instance, error.validator_value)}"
    return f"{place or 'top level'}: {error.message}."


_KINDS = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "a block of keys",
    "string": "text",
}


def _wrong_kind(place: str, value: object, wanted: str | list[str]) -> str:
    """What a value of the wrong kind is not, and how it is to be written; without the name of its key."""
    wanted = [wanted] if isinstance(wanted, str) else wanted
    written = "null" if value is None else repr(value)
    sentence = f"{written} is not {' or '.join(_KINDS[kind] for kind in wanted)}; "
    if "array" in wanted and not isinstance(value, dict | None):
        return f"{sentence}write {place}: [{value}]."
    if {"integer", "number"} & set(wanted) and isinstance(value, str):
        with contextlib.suppress(ValueError):
            number = float(value)  # text that is no number has no such remedy
            if "e" in value.lower():
                return f"{sentence}write {number} (YAML takes 1e-3 for text, and 1.0e-3 for a number)."
            return f"{sentence}write {value} without quotes, in a --configfile (--config makes text of it)."
    return f"{sentence}see config.yaml for an example."


def _check_texts(place: str, value: object) -> None:
    """Every text of the configuration may be a path that becomes a rule's input."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        _check_texts(f"{place}.{key}" if place else str(key), part)
    if isinstance(value, str) and (fault := path_fault(value)):
        raise InputError(f"configuration: {place}: {value!r} {fault}", "rename the file or folder")


def _check_stage1(stage1: dict) -> None:
    """Numbers that have to fit each other."""
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
            f"configuration: stage1.moe.top_k: no image can go to {top_k} of {num_experts} experts",
            "choose at most stage1.moe.num_experts, or null for all",
        )


def _check_sizes(config: dict) -> None:
    """Sizes that have to fit each other."""
    visual = config["encoders"]["visual"]
    if visual["image_px"] > visual["resize_px"]:
        raise InputError(
            (
                f"configuration: encoders.visual.resize_px: the encoder cannot see {visual['image_px']} px of crops "
                f"of {visual['resize_px']} px"
            ),
            "set it to at least encoders.visual.image_px",
        )
    if config["fusion"]["head"] == "cross_attention":
        _check_num_fused(config, "fusion.head cross_attention")


def _check_num_fused(config: dict, head: str) -> None:
    num_fused = config["fusion"]["head_settings"]["num_fused"]
    if num_fused % CROSS_ATTENTION_HEADS:
        raise InputError(
            (
                f"configuration: fusion.head_settings.num_fused: {num_fused} is no multiple of "
                f"{CROSS_ATTENTION_HEADS}, which {head} needs"
            ),
            "choose one that is",
        )
