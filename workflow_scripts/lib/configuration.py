"""The configuration, checked before anything runs."""

import difflib
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from workflow_scripts.lib.errors import InputError


def check_config(config: dict, schema: Path) -> None:
    """Raise InputError with one sentence that names the first key at fault and what it may be."""
    rules = yaml.safe_load(Path(schema).read_text())
    error = best_match(Draft202012Validator(rules).iter_errors(config))
    if error is not None:
        raise InputError(f"configuration: {_sentence(error)}")
    _check_stage1(config["stage1"])
    _check_local_files(config)


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


def _check_local_files(config: dict) -> None:
    """Weights and image folders that the run will need and that it does not make itself."""
    for modality, encoder in config["encoders"].items():
        if encoder["source"] == "path":
            for name in ("config.json", "model.safetensors"):
                if not (Path(encoder["path"] or "") / name).is_file():
                    raise InputError(
                        f"encoders.{modality}.path: {encoder['path']} has no {name}; "
                        "give a folder in Hugging Face layout, or set encoders."
                        f"{modality}.source to hub."
                    )
    model = config["detector"]["insightface"]["model"]
    if config["detector"]["name"] == "insightface" and model.endswith(".onnx") and not Path(model).is_file():
        raise InputError(f"detector.insightface.model: {model} does not exist; give an SCRFD .onnx file, or buffalo_l.")
    _check_imported(config["imported"])
    if config["corpus"]["layout"] != "demo" and config["imported"]["backbone"] is None:  # else Stage I is skipped
        for images in config["stage1"]["image_sets"]:
            if not Path(images["root"]).exists():
                raise InputError(
                    f"stage1.image_sets: {images['root']} does not exist; correct the root of {images['name']!r}."
                )


def _check_imported(imported: dict) -> None:
    """Weights that others publish: each file that is given exists, and the gate comes with all its statistics."""
    given = {"backbone": imported["backbone"]} | {f"fusion.{name}": path for name, path in imported["fusion"].items()}
    for name, path in given.items():
        if path is not None and not Path(path).is_file():
            raise InputError(f"imported.{name}: {path} does not exist; correct the path, or set it to null.")
    lacking = [name for name, path in imported["fusion"].items() if path is None]
    if 0 < len(lacking) < len(imported["fusion"]):
        raise InputError(
            f"imported.fusion.{lacking[0]} is missing; give all of {', '.join(imported['fusion'])}, or none."
        )
