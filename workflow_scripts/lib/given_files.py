"""Which files the rules read besides the corpus: weights and image lists, made by the workflow or given."""

from pathlib import Path

MODELS = Path("results/models")


def encoder_files(config: dict, modality: str) -> str:
    """The weights file of the `visual` or `speech` encoder; config.json lies beside it."""
    encoder = config["encoders"][modality]
    folder = Path(encoder["path"]) if encoder["source"] == "path" else MODELS / modality
    return str(folder / "model.safetensors")


def adapted_encoder(config: dict) -> str:
    """The weights file of the visual encoder that features are made with: Stage I's, or an imported one."""
    folder = "imported" if config["imported"]["backbone"] else "stage1"
    return f"results/{folder}/backbone/model.safetensors"


def detector_files(config: dict) -> list[str]:
    """The detector's file: a local .onnx, the record of a fetched InsightFace pack, or none."""
    if config["detector"]["name"] != "insightface":
        return []
    model = config["detector"]["insightface"]["model"]
    if model.endswith(".onnx"):
        return [model]
    return [str(MODELS / "insightface" / "models" / f"{model}.json")]


def image_set_files(config: dict) -> list[str]:
    """The lists of Stage I's image sets: when one changes, Stage I trains again."""
    return [
        str(path)
        for images in config["stage1"]["image_sets"]
        for path in _image_lists(images["layout"], Path(images["root"]))
    ]


def _image_lists(layout: str, root: Path) -> list[Path]:
    """What says which images a set has and in which class."""
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
