"""An exported model: one folder that holds all that prediction needs, and says how it was made.

    config.json    labels, preparation of pictures and sound, smoothing, how it was trained and scored, versions
    visual/        the adapted visual encoder, in Hugging Face layout
    audio/         the audio encoder, in Hugging Face layout
    fusion/        one fusion model per fold, with the statistics of its features; their logits are averaged
    README.md      model card

Light: read with the Snakefile.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from frame_expressions.runtime.errors import InputError

MODEL_TYPE = "two_stage_dual_modality_expression"
_ENCODERS = ("visual", "audio")
_FUSION = re.compile(r"fusion/[a-z0-9]+\.safetensors")


@dataclass(frozen=True)
class ExportedModel:
    """What an exported folder says of itself.

    settings: the part of the workflow's configuration that features depend on. smoothing: kind, window_frames,
    windows_at_fps.
    """

    folder: Path
    settings: dict
    smoothing: dict
    fusion: list[Path]

    @classmethod
    def read(cls, folder: Path) -> "ExportedModel":
        """Read config.json; InputError where the folder is no exported model, or not all of one."""
        path = folder / "config.json"
        try:
            stored = json.loads(path.read_text())
        except FileNotFoundError:
            raise InputError(
                f"{folder} holds no exported model",
                (
                    "run `snakemake --cores 8 export_model` first, or name the folder of one with --config "
                    "predict_model=FOLDER"
                ),
            ) from None
        except (ValueError, NotADirectoryError) as error:
            raise InputError(f"{path} cannot be read ({error})", "copy the model's folder again") from error
        if not isinstance(stored, dict) or stored.get("model_type") != MODEL_TYPE:
            raise InputError(f"{path} is not of an exported model", "name the folder that export_model made")
        names = stored.get("fusion")
        if not isinstance(names, list) or not names or not all(_FUSION.fullmatch(str(name)) for name in names):
            raise InputError(
                f"{path} names its fusion models {names!r} instead of fusion/<fold>.safetensors",
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
        """Set in a configuration what this model's features depend on, and its encoders.

        Raises InputError where the model does not say.
        """
        try:
            config["crops"]["scales"] = self.settings["crops"]["scales"]
            config["audio"].update(self.settings["audio"])
            config["features"]["audio"].update(self.settings["features"]["audio"])
            config["encoders"]["visual"].update(self.settings["encoders"]["visual"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{self.folder}/config.json lacks a setting that features depend on ({error!r})",
                "copy the model's folder again",
            ) from error
        for modality in _ENCODERS:
            config["encoders"][modality].update(source="path", path=str(self.folder / modality))


def settings_of(config: dict) -> dict:
    """The part of a configuration that an exported model carries, since its features depend on it."""
    visual, audio = config["encoders"]["visual"], config["features"]["audio"]
    return {
        "crops": {"scales": config["crops"]["scales"]},
        "audio": {"half_width_s": config["audio"]["half_width_s"]},
        "encoders": {"visual": {name: visual[name] for name in ("resize_px", "image_px")}},
        "features": {"audio": {name: audio[name] for name in ("layers", "normalise", "mode", "chunk_s")}},
    }
