"""Frame-level facial expressions from videos: the two-stage dual-modality model.

What a program that predicts needs is importable from here, for example

    from frame_expressions import Predictor

    predictor = Predictor("results/model")        # a folder that the workflow's export_model wrote
    frames = predictor.predict("clip.mp4")        # a pandas table, one row per frame

Predictor       loads an exported model once and predicts any number of videos
predict_video   the same in one call, for a single video
ExportedModel   the contents of an exported model's folder: settings, smoothing, paths of the weights
EXPRESSIONS     the names of the eight expressions, in the order of the model's classes
InputError      raised for anything that the user can correct; `what` is wrong, and the `remedy`
MediaError      the InputError of a video or audio file that is refused

`import frame_expressions` imports only the standard library. Each name imports its own module on first use.
"""

import importlib

__version__ = "0.2.0"

_MODULE_OF = {
    "EXPRESSIONS": "frame_expressions.artifacts.vocabulary",
    "ExportedModel": "frame_expressions.prediction.exported_model",
    "InputError": "frame_expressions.runtime.errors",
    "MediaError": "frame_expressions.runtime.errors",
    "Predictor": "frame_expressions.prediction.predictor",
    "predict_video": "frame_expressions.prediction.predictor",
}

__all__ = ["EXPRESSIONS", "ExportedModel", "InputError", "MediaError", "Predictor", "__version__", "predict_video"]


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
