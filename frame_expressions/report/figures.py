"""Figures: drawn without a screen, written whole, the same bytes each time."""

from pathlib import Path

from matplotlib.figure import Figure

from frame_expressions.artifacts.atomic import atomic_write


def write_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=150, format="png", metadata={"Software": None})  # the version would go in
