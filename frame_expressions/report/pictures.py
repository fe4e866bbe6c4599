"""Images as data URIs: figures, drawn once for light and once for dark screens, and unchanged images."""

import io
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from PIL import Image

from frame_expressions.report.page import Picture

WIDTH_IN = 4.8
"""Fits a phone's screen with letters that are still large enough to read."""
_PX_PER_IN = 96  # of CSS


@dataclass(frozen=True)
class Theme:
    """Colours of a figure: text, secondary lines, background, and data series, which also differ by their markers."""

    ink: str
    muted: str
    paper: str
    series: tuple[str, ...]


LIGHT = Theme("#1b1b1b", "#757575", "#ffffff", ("#0047a3", "#b3420f", "#1b7f3b", "#7b2d8e", "#5c5c5c"))
DARK = Theme("#e8e8e8", "#8d9299", "#15171a", ("#8ab8ff", "#ffb07c", "#7fd99a", "#dca6f0", "#c4c4c4"))
MARKERS = "os^Dv"

Draw = Callable[[Figure, Theme], None]


def draw_figure(draw: Draw, height_in: float, theme: Theme, width_in: float = WIDTH_IN) -> Figure:
    """A figure in a theme's colours."""
    with rc_context(_settings(theme)):
        figure = _figure(draw, height_in, theme, width_in)
        figure.draw_without_rendering()  # ticks take their colours at the first layout
    return figure


def figure_picture(draw: Draw, height_in: float, alt: str, caption: str) -> Picture:
    """A figure drawn by `draw` in both themes, as SVG."""
    light, dark = (_svg(draw, height_in, theme) for theme in (LIGHT, DARK))
    return Picture(light, dark, round(WIDTH_IN * _PX_PER_IN), round(height_in * _PX_PER_IN), alt, caption)


def png_picture(rgb: np.ndarray, alt: str, caption: str) -> Picture:
    """Pixels uint8 [H, W, 3] as they are."""
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "PNG", optimize=True)
    return Picture(_uri("image/png", stream.getvalue()), None, rgb.shape[1], rgb.shape[0], alt, caption)


def jpeg_picture(jpeg: bytes, alt: str, caption: str, least_px: int) -> Picture:
    """An unchanged JPEG, shown at least as wide as `least_px`."""
    with Image.open(io.BytesIO(jpeg)) as opened:
        width_px, height_px = opened.size
    return Picture(_uri("image/jpeg", jpeg), None, width_px, height_px, alt, caption, least_px)


def _svg(draw: Draw, height_in: float, theme: Theme) -> str:
    stream = io.BytesIO()
    with rc_context(_settings(theme)):
        figure = _figure(draw, height_in, theme, WIDTH_IN)
        # Without date and version, so that the same figure gives the same bytes.
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _uri("image/svg+xml", stream.getvalue())


def _figure(draw: Draw, height_in: float, theme: Theme, width_in: float) -> Figure:
    figure = Figure(figsize=(width_in, height_in), layout="constrained", facecolor=theme.paper)
    draw(figure, theme)
    return figure


def _settings(theme: Theme) -> dict:
    return {
        "svg.hashsalt": "report",
        "svg.fonttype": "path",
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "text.color": theme.ink,
        "axes.labelcolor": theme.ink,
        "axes.titlecolor": theme.ink,
        "axes.edgecolor": theme.muted,
        "axes.facecolor": "none",
        "xtick.color": theme.ink,
        "ytick.color": theme.ink,
        "grid.color": theme.muted,
        "grid.alpha": 0.3,
        "legend.frameon": False,
    }


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{b64encode(content).decode()}"
