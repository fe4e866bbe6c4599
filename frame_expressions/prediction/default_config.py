"""The workflow's default settings, for programs that use the package without the workflow.

They are in one file: config.yaml at the top of a checkout, which the wheel contains as package data.
"""

from importlib.resources import files
from pathlib import Path

import yaml

_IN_CHECKOUT = Path(__file__).resolve().parents[2] / "config.yaml"


def default_config() -> dict:
    """The settings of config.yaml: the installed package's own copy, or the checkout's file."""
    packaged = files("frame_expressions") / "config.yaml"
    return yaml.safe_load((packaged if packaged.is_file() else _IN_CHECKOUT).read_text(encoding="utf-8"))
