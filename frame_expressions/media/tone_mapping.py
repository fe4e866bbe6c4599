"""The SDR picture of an HDR frame: PQ (SMPTE ST 2084) and HLG (ARIB STD-B67), both in ITU-R BT.2100.

Detectors and encoders learned from SDR pictures. The values of an HDR frame, taken as they are, look dark and flat.

The reference white of 203 cd/m2 becomes white, and what is brighter, such as reflections and lamps, becomes white too.
An HDR version that was made from an SDR picture by the display-referred mapping of ITU-R BT.2408, with the display of
ITU-R BT.1886 (gamma 2.4), is thus turned back into that picture.

Shapes: H, W of a frame. Light is linear, 1 at the reference white.
"""

from collections.abc import Callable, Iterable
from functools import cache

import av
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation

REFERENCE_WHITE = 203.0  # cd/m2
DISPLAY_GAMMA = 2.4

_PQ_PEAK, _HLG_PEAK, _HLG_GAMMA = 10_000.0, 1000.0, 1.2  # cd/m2, cd/m2, and the system gamma for that peak
_NO_MATRIX = 2  # AVCOL_SPC_UNSPECIFIED
_STEPS = 1 << 12
"""Of all tables, and of the RGB codes of 12 bits: small enough for the processor's fastest cache."""

_BLOCK_ROWS = 8  # that are converted together, for the same reason
_INTERPOLATION = Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT

# To the primaries of BT.709, from the chromaticities in BT.709, BT.2020 and SMPTE EG 432-1; all have the white D65.
_TO_BT709 = {
    ColorPrimaries.BT709: np.eye(3),
    ColorPrimaries.BT2020: np.array(
        [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]]
    ),
    ColorPrimaries.SMPTE432: np.array(
        [[1.224940, -0.224940, 0.0], [-0.042057, 1.042057, 0.0], [-0.019638, -0.078636, 1.098274]]
    ),
}
_LUMINANCE = (0.2627, 0.6780, 0.0593)  # of red, green and blue of BT.2020


def is_hdr(frame: av.VideoFrame) -> bool:
    """Whether a frame is tagged as PQ or HLG."""
    return frame.color_trc in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)


def tone_mapped(frame: av.VideoFrame) -> np.ndarray:
    """The SDR picture of a PQ or HLG frame, as stored, uint8 [H, W, 3], RGB.

    Where the primaries are not tagged, or are none of those above, they are those of BT.2020.
    """
    # One thread: the result must not depend on the number of cores of the job.
    matrix = Colorspace.BT2020 if frame.colorspace == _NO_MATRIX else None
    rgb = frame.reformat(format="gbrp12le", src_colorspace=matrix, interpolation=_INTERPOLATION, threads=1)
    green, blue, red = (_codes(plane) for plane in rgb.planes)
    signal = np.minimum(np.arange(_STEPS) / _white_code(frame), 1)
    to_light = _HlgLight(signal) if frame.color_trc == ColorTrc.ARIB_STD_B67 else _PqLight(signal)
    to_bt709 = _TO_BT709.get(frame.color_primaries, _TO_BT709[ColorPrimaries.BT2020])
    sdr = np.empty((frame.height, frame.width, 3), np.uint8)
    for first in range(0, frame.height, _BLOCK_ROWS):
        rows = slice(first, first + _BLOCK_ROWS)
        _to_sdr(to_light(red[rows], green[rows], blue[rows]), to_bt709, sdr[rows])
    return sdr


def _codes(plane: VideoPlane) -> np.ndarray:
    """A plane of RGB codes, uint16 [H, W]."""
    return np.frombuffer(plane, "<u2").reshape(plane.height, -1)[:, : plane.width]


def _white_code(frame: av.VideoFrame) -> int:
    """The RGB code of 12 bits that libswscale gives to the signal's nominal peak: it shifts codes to more bits."""
    bits = frame.format.components[0].bits
    is_full = frame.format.is_rgb or frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    return min((1 << bits) - 1 << 16 >> bits + 4, _STEPS - 1) if is_full else 255 << 4


class _PqLight:
    """Light from codes of PQ. Source: ITU-R BT.2100-2, table 4."""

    def __init__(self, signal: np.ndarray):
        """signal: of every code."""
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
        power = signal ** (1 / m2)
        light = (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
        self._light = (_PQ_PEAK / REFERENCE_WHITE * light).astype(np.float32)

    def __call__(self, *codes: np.ndarray) -> list[np.ndarray]:
        return [_looked_up(self._light, code) for code in codes]


class _HlgLight:
    """Light of a display of 1000 cd/m2 from codes of HLG. Source: ITU-R BT.2100-2, table 5."""

    def __init__(self, signal: np.ndarray):
        """signal: of every code."""
        a = 0.17883277
        b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
        scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
        self._scene = scene.astype(np.float32)
        self._gain = _of_roots(lambda luminance: _HLG_PEAK / REFERENCE_WHITE * luminance ** (_HLG_GAMMA - 1))

    def __call__(self, *codes: np.ndarray) -> list[np.ndarray]:
        scene = [_looked_up(self._scene, code) for code in codes]
        gain = _looked_up(self._gain, _root_steps(_weighted(_LUMINANCE, scene)))
        return [gain * light for light in scene]


def _to_sdr(light: list[np.ndarray], to_bt709: np.ndarray, sdr: np.ndarray) -> None:
    """Write SDR codes into uint8 [H, W, 3]; light: of the channels in other primaries, each float32 [H, W]."""
    for channel, weights in enumerate(to_bt709):
        sdr[..., channel] = _looked_up(_sdr_codes(), _root_steps(_weighted(weights, light)))


@cache
def _sdr_codes() -> np.ndarray:
    return np.round(_of_roots(lambda light: 255 * light ** (1 / DISPLAY_GAMMA))).astype(np.uint8)


def _of_roots(function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """A function of light from 0 to 1 for every step of `_root_steps`, float32.

    Steps of the square root are even enough for the eye, and a root is faster than the functions that are looked up.
    """
    steps = np.arange(_STEPS)
    return function((np.where(steps == _STEPS - 1, steps, steps + 0.5) / (_STEPS - 1)) ** 2).astype(np.float32)


def _root_steps(light: np.ndarray) -> np.ndarray:
    """The square roots of light in [H, W], overwritten, as places in a table of _STEPS."""
    light *= (_STEPS - 1) ** 2
    np.clip(light, 0, (_STEPS - 1) ** 2, out=light)
    return np.sqrt(light, out=light).astype(np.intp)


def _weighted(weights: Iterable[float], channels: list[np.ndarray]) -> np.ndarray:
    """The weighted sum of three channels."""
    red, green, blue = (np.float32(weight) * channel for weight, channel in zip(weights, channels, strict=True))
    red += green
    red += blue
    return red


def _looked_up(table: np.ndarray, places: np.ndarray) -> np.ndarray:
    return table.take(places, mode="clip")  # faster than the mode that raises
