"""Export a trained model: one folder from which any machine can predict."""

import importlib.metadata
import logging
import shutil
from pathlib import Path

from frame_expressions.artifacts.atomic import atomic_write
from frame_expressions.artifacts.provenance import sha256_of
from frame_expressions.artifacts.text import read_json, write_json, write_text
from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.encoders.processor_config import image_processor
from frame_expressions.prediction.exported_model import MODEL_TYPE
from frame_expressions.prediction.model_card import model_card
from frame_expressions.runtime.job import log_to

ENCODER_FILES = ("config.json", "model.safetensors", "preprocessor_config.json")
PACKAGES = ("torch", "transformers", "safetensors", "numpy")


def run(
    *,
    visual: Path,
    audio: Path,
    fusion: dict[str, Path],
    best: Path,
    stage1: Path | None,
    scores: dict[str, Path],
    settings: dict,
    model: Path,
) -> None:
    """Write the folder `model`; see `exported_model`.

    visual, audio: encoder folders in Hugging Face layout.
    fusion: model files by fold.
    best: the smoothing, as search_smoothing wrote it.
    stage1: the metrics of Stage I; None if its weights were imported.
    scores: the metrics of Stage II by fold; empty if its weights were imported.
    settings: see `exported_model.settings_of`.
    model: the folder to write.
    """
    logging.info("exporting %s, %s and %d fusion models to %s", visual, audio, len(fusion), model)
    for modality, folder in (("visual", visual), ("audio", audio)):
        for name in ENCODER_FILES:
            if (folder / name).exists():
                _copy(folder / name, model / modality / name)
    if not (model / "visual/preprocessor_config.json").exists():
        write_json(image_processor(**settings["encoders"]["visual"]), model / "visual/preprocessor_config.json")
    for fold, path in fusion.items():
        _copy(path, model / "fusion" / f"{fold}.safetensors")
    smoothing = read_json(best)
    files = sorted(path.relative_to(model).as_posix() for path in model.rglob("*.safetensors"))
    content = {
        "model_type": MODEL_TYPE,
        "id2label": {str(number): name for number, name in enumerate(EXPRESSIONS)},
        "label2id": {name: number for number, name in enumerate(EXPRESSIONS)},
        "settings": settings,
        "fusion": [f"fusion/{fold}.safetensors" for fold in fusion],
        "smoothing": {name: smoothing[name] for name in ("kind", "window_frames", "windows_at_fps", "imputed")},
        "trained": {
            "stage1": _report(stage1),
            "fusion": {fold: _report(path) for fold, path in scores.items()},
            "smoothing": {name: smoothing[name] for name in ("macro_f1", "macro_f1_unsmoothed")},
        },
        "versions": {package: importlib.metadata.version(package) for package in PACKAGES},
        "sha256": {name: sha256_of(model / name) for name in files},
    }
    write_text(model_card(content), model / "README.md")
    write_json(content, model / "config.json")  # last: a folder that has it is complete
    size = sum(path.stat().st_size for path in model.rglob("*") if path.is_file())
    logging.info("made %s: %d files of weights, %.1f MB", model, len(files), size / 1e6)


def _copy(source: Path, target: Path) -> None:
    with atomic_write(target) as temporary:
        shutil.copyfile(source, temporary)


def _report(metrics: Path | None) -> dict | None:
    """The metrics and settings of a training, without the names and hashes of its inputs."""
    if metrics is None:
        return None
    found = read_json(metrics)
    settings = found.pop("provenance")["settings"]
    settings.pop("tracks", None)
    return {"settings": settings, **found}


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(
            visual=Path(job.input.visual[0]).parent,
            audio=Path(job.input.audio[0]).parent,
            fusion={Path(path).parent.name: Path(path) for path in job.input.fusion},
            best=Path(job.input.best),
            stage1=Path(job.input.stage1) if job.input.stage1 else None,
            scores={Path(path).parent.name: Path(path) for path in job.input.scores},
            settings=job.params.settings,
            model=Path(job.output.model),
        )
