"""An exported model: one folder with everything that prediction needs, and a record of how it was made.

    config.json    labels, preprocessing of crops and audio, smoothing, training and scores, versions
    visual/        the adapted visual encoder, in Hugging Face layout
    audio/         the audio encoder, in Hugging Face layout
    fusion/        one fusion model per fold, with its feature statistics; the logits of all are averaged
    README.md      model card

Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from frame_expressions.runtime.errors import InputError

MODEL_TYPE = "two_stage_dual_modality_expression"
_ENCODERS = ("visual", "audio")
_AUDIO = ("half_width_s", "window_centre", "silence")
_AUDIO_FEATURES = ("layers", "normalise", "mode", "chunk_s", "min_tail_s")

# What the features of models depend on that were exported before these settings existed.
_EARLIER_AUDIO = {"window_centre": "start", "silence": "missing"}
_EARLIER_AUDIO_FEATURES = {"min_tail_s": 0}
_EARLIER_FUSION = {"missing": {"prediction": "alone"}}

_FUSION = re.compile(r"fusion/[a-z0-9]+\.safetensors")


@dataclass(frozen=True)
class ExportedModel:
    """The contents of an exported model's folder.

    settings: the part of the workflow's configuration that features and their fusion depend on. smoothing: the fields
    of `Smoothing`. fusion: paths of the fusion models.
    """

    folder: Path
    settings: dict
    smoothing: dict
    fusion: list[Path]

    @classmethod
    def read(cls, folder: Path) -> "ExportedModel":
        """Read config.json. Raises InputError if the folder is not an exported model, or if files are missing."""
        path = folder / "config.json"
        try:
            stored = json.loads(path.read_text())
        except FileNotFoundError:
            raise InputError(
                f"{folder} holds no exported model",
                "run `snakemake --cores 8 export_model` first, or name the folder of one with --config "
                "predict_model=FOLDER",
            ) from None
        except (ValueError, NotADirectoryError) as error:
            raise InputError(f"{path} cannot be read ({error})", "copy the model's folder again") from error
        if not isinstance(stored, dict) or stored.get("model_type") != MODEL_TYPE:
            raise InputError(f"{path} does not describe an exported model", "name the folder that export_model wrote")
        names = stored.get("fusion")
        if not isinstance(names, list) or not names or not all(_FUSION.fullmatch(str(name)) for name in names):
            raise InputError(
                f"{path} names its fusion models {names!r}, not fusion/<fold>.safetensors",
                "copy the model's folder again",
            )
        if not all(isinstance(stored.get(key), dict) for key in ("settings", "smoothing")):
            raise InputError(f"{path} lacks settings or smoothing", "copy the model's folder again")
        fusion = [folder / name for name in names]
        encoders = [folder / modality / name for modality in _ENCODERS for name in ("config.json", "model.safetensors")]
        for needed in (*encoders, *fusion):
            if not needed.is_file():
                raise InputError(f"{needed} is missing", "copy the whole folder of the exported model again")
        return cls(folder, stored["settings"], stored["smoothing"], fusion)

    def configure(self, config: dict) -> None:
        """Set this model's encoders, and the settings that its features depend on, in a configuration.

        Raises InputError if the model lacks one of the settings.
        """
        try:
            config["crops"]["scales"] = self.settings["crops"]["scales"]
            config["audio"].update(_EARLIER_AUDIO | self.settings["audio"])
            config["features"]["audio"].update(_EARLIER_AUDIO_FEATURES | self.settings["features"]["audio"])
            config["encoders"]["visual"].update(self.settings["encoders"]["visual"])
            fusion = self.settings.get("fusion", _EARLIER_FUSION)
            config["fusion"]["missing"]["prediction"] = fusion["missing"]["prediction"]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{self.folder}/config.json lacks a setting that features depend on ({error!r})",
                "copy the model's folder again",
            ) from error
        for modality in _ENCODERS:
            config["encoders"][modality].update(source="path", path=str(self.folder / modality))


def settings_of(config: dict) -> dict:
    """The part of a configuration that an exported model stores, since its features depend on it."""
    visual, audio = config["encoders"]["visual"], config["audio"]
    audio_features = config["features"]["audio"]
    return {
        "crops": {"scales": config["crops"]["scales"]},
        "audio": {name: audio[name] for name in _AUDIO},
        "encoders": {"visual": {name: visual[name] for name in ("resize_px", "image_px")}},
        "features": {"audio": {name: audio_features[name] for name in _AUDIO_FEATURES}},
        "fusion": {"missing": {"prediction": config["fusion"]["missing"]["prediction"]}},
    }
