"""Figures: drawn without a screen, written whole, the same bytes each time."""

from pathlib import Path

from matplotlib.figure import Figure

from workflow_scripts.lib.artifacts import replacing


def write_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150, format="png", metadata={"Software": None})  # the version would go in
