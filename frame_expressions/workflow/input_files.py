"""The files that the rules read besides the corpus: weights and image lists, made by the workflow or given.

Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

from collections.abc import Iterator
from pathlib import Path

from frame_expressions.corpora.folds import given_folds, imported_gates
from frame_expressions.fusion.gate_files import STATISTICS, gate_fault
from frame_expressions.runtime.errors import InputError

MODELS = Path("results/models")
DEMO = Path("results/demo")
DEMO_IMAGES = (f"{DEMO}/affectnet/", f"{DEMO}/rafdb/")
"""Where make_demo_images writes."""

_FOLDERS_OF_RULES = (f"{MODELS}/", "results/stage1/", "results/imported/")


def encoder_files(config: dict, modality: str) -> list[str]:
    """The files of the `visual` or `audio` encoder, in one folder, its weights first.

    A given audio encoder may lack preprocessor_config.json; it then takes the waveform unchanged.
    """
    encoder = config["encoders"][modality]
    folder = Path(encoder["path"]) if encoder["source"] == "path" else MODELS / modality
    preprocessor = folder / "preprocessor_config.json"
    is_prepared = modality == "audio" and (encoder["source"] != "path" or preprocessor.exists())
    return [*network_files(folder), *([str(preprocessor)] if is_prepared else [])]


def network_files(folder: Path | str) -> list[str]:
    """The weights and the architecture in a folder in Hugging Face layout."""
    return [f"{folder}/model.safetensors", f"{folder}/config.json"]


def adapted_encoder(config: dict) -> list[str]:
    """The files of the encoder that computes the visual features: from Stage I, imported, or of an exported model."""
    if config["predict_videos"]:
        return encoder_files(config, "visual")
    folder = "imported" if config["imported"]["backbone"] else "stage1"
    return network_files(f"results/{folder}/backbone")


def is_made(path: str) -> bool:
    """Whether a rule makes these weights; of a detector pack, it makes only the record."""
    return path.startswith(_FOLDERS_OF_RULES) and not path.endswith(".onnx")


def detector_files(config: dict) -> list[str]:
    """The detector's file: a local .onnx, the record of a fetched InsightFace pack, or none."""
    if config["detector"]["name"] != "insightface":
        return []
    model = config["detector"]["insightface"]["model"]
    if model.endswith(".onnx"):
        return [model]
    return [str(MODELS / "insightface" / "models" / f"{model}.json")]


def detector_settings(config: dict) -> dict:
    """The settings of the chosen detector alone, in one block; its model file is an input instead."""
    detector = config["detector"]
    own = {name: value for name, value in detector[detector["name"]].items() if name != "model"}
    side = {name: detector[name] for name in ("min_side_px", "min_side_of")}
    return {"name": detector["name"], **side, **own}


def image_set_files(config: dict) -> list[str]:
    """The lists of Stage I's image sets: when one changes, Stage I trains again."""
    return [
        str(path)
        for images in config["stage1"]["image_sets"]
        for path in _image_lists(images["layout"], Path(images["root"]))
    ]


def _image_lists(layout: str, root: Path) -> list[Path]:
    """The files that list a set's images with their classes."""
    if layout == "affectnet_csv":
        return [root / "Manually_Annotated_file_lists" / f"{part}.csv" for part in ("training", "validation")]
    if layout == "affectnet_npy":
        return [root / part / "annotations" for part in ("train_set", "val_set")]
    if layout == "rafdb":
        list_file = Path("EmoLabel/list_patition_label.txt")
        if (root / "train").is_dir() and not (root / list_file).exists():
            return [root / "train", root / "test"]
        nested = root / "basic" / list_file
        return [nested if nested.exists() else root / list_file]
    return [root]


def missing_given_files(config: dict) -> Iterator[InputError]:
    """An error for each file of weights or images that the run needs, cannot make, and cannot find."""
    for modality, encoder in config["encoders"].items():
        if encoder["source"] == "path":
            for name in ("config.json", "model.safetensors"):
                if not (Path(encoder["path"] or "") / name).is_file():
                    yield InputError(
                        f"encoders.{modality}.path: {encoder['path']} has no {name}",
                        f"give a folder in Hugging Face layout, or set encoders.{modality}.source to hub",
                    )
    model = config["detector"]["insightface"]["model"]
    if config["detector"]["name"] == "insightface" and model.endswith(".onnx") and not Path(model).is_file():
        yield InputError(
            f"detector.insightface.model: {model} does not exist", "give an SCRFD .onnx file, or buffalo_l"
        )
    if config["predict_videos"]:  # nothing is trained
        return
    yield from _missing_imported(config)
    for table in given_folds(config):
        if not Path(table).is_file():
            yield InputError(
                f"cross_validation.paper.folds: {table} does not exist",
                "write grouped, published, or the path of a table of folds",
            )
    if config["corpus"]["layout"] != "demo" and config["imported"]["backbone"] is None:  # else Stage I is skipped
        for images in config["stage1"]["image_sets"]:
            root, layout, name = Path(images["root"]), images["layout"], images["name"]
            if root.is_relative_to(DEMO):
                yield InputError(
                    f"stage1.image_sets: {root} holds the demonstration's drawn faces",
                    "name your own images (layouts in docs/corpora.md), or set imported.backbone to adapted weights",
                )
                continue
            missing = next((path for path in [root, *_image_lists(layout, root)] if not path.exists()), None)
            if missing:
                near = next((folder for folder in _folders_near(root) if _has_lists(layout, folder)), None)
                remedy = (
                    f"set the root of {name!r} to {near}" if near else f"correct the root, or the layout, of {name!r}"
                )
                yield InputError(f"stage1.image_sets: {missing} does not exist", remedy)
            elif layout == "table" and not root.is_file():
                yield InputError(
                    f"stage1.image_sets: {root} is a folder", f"set the root of {name!r} to the .csv or .tsv file"
                )


def _folders_near(root: Path) -> Iterator[Path]:
    """Folders that the user may have meant by `root`: the two above it, and those in it."""
    yield from list(root.absolute().parents)[:2]
    if root.is_dir():
        yield from sorted(path for path in root.iterdir() if path.is_dir())


def _has_lists(layout: str, root: Path) -> bool:
    return layout != "table" and all(path.exists() for path in _image_lists(layout, root))


def _missing_imported(config: dict) -> Iterator[InputError]:
    """An error for a backbone that is configured but does not exist, and one for all gates that are incomplete."""
    backbone = config["imported"]["backbone"]
    if backbone is not None and not Path(backbone).is_file():
        yield InputError(f"imported.backbone: {backbone} does not exist", "correct the path, or set it to null")
    faults = [fault for folder in imported_gates(config).values() if (fault := gate_fault(folder))]
    if faults:
        yield InputError(
            f"imported.gates: {'; '.join(faults)}",
            f"give folders that each hold one file of weights and {', '.join(f'{name}.npy' for name in STATISTICS)}, "
            "or a checkpoint with these four in it",
        )
