"""Writes figures without a display, atomically, and with the same bytes every time."""

from pathlib import Path

from matplotlib.figure import Figure

from frame_expressions.artifacts.atomic import atomic_write


def write_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG at 150 dpi."""
    with atomic_write(path) as temporary:
        figure.savefig(
            temporary, dpi=150, format="png", metadata={"Software": None}
        )  # without the version of matplotlib
