"""HDR frames become the SDR pictures that they were made from, by formulas of the standards written here once more."""

import av
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from frame_expressions.media.tone_mapping import is_hdr
from frame_expressions.media.video import Frame, read_video

UNTAGGED = 2
SIZE = (160, 128)


def picture():
    """Shades of skin, cloth and light, from black to white, in blocks of 16 px."""
    blocks = np.random.default_rng(0).integers(0, 256, (8, 10, 3))
    blocks[0] = np.linspace(0, 255, 10).round()[:, None]
    return blocks.repeat(16, 0).repeat(16, 1).astype(np.uint8)


def hdr_signal(rgb, transfer):
    """The signal of an SDR picture shown at 203 cd/m2, float [H, W, 3]: BT.1886, BT.2087, then BT.2100."""
    to_bt2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    nits = 203 * (rgb / 255) ** 2.4 @ to_bt2020.T
    if transfer == ColorTrc.SMPTE2084:
        y = (nits / 10000) ** 0.1593017578125
        return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375
    luminance = nits @ [0.2627, 0.6780, 0.0593]
    scene = nits / 1000 * np.where(luminance > 0, luminance / 1000, 1)[..., None] ** (1 / 1.2 - 1)
    log = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), log)


def hdr_frame(rgb, transfer, bits=10, is_full=False, primaries=ColorPrimaries.BT2020, matrix=Colorspace.BT2020):
    """The frame of 4:4:4 that a device would store."""
    red, green, blue = np.moveaxis(hdr_signal(rgb.astype(float), transfer), 2, 0)
    luma = 0.2627 * red + 0.6780 * green + 0.0593 * blue
    chroma = [(blue - luma) / 1.8814, (red - luma) / 1.4746]
    unit = 1 << (bits - 8)
    if is_full:
        top = (1 << bits) - 1
        planes = [luma * top, *(top * one + 128 * unit for one in chroma)]
    else:
        planes = [(219 * luma + 16) * unit, *((224 * one + 128) * unit for one in chroma)]
    name = "yuv444p" if bits == 8 else f"yuv444p{bits}le"
    frame = av.VideoFrame(rgb.shape[1], rgb.shape[0], name)
    dtype = np.uint8 if bits == 8 else np.uint16
    for plane, values in zip(frame.planes, planes, strict=True):
        stored = np.zeros((plane.height, plane.line_size // dtype().itemsize), dtype)
        stored[:, : plane.width] = np.clip(np.round(values), 0, (1 << bits) - 1)
        plane.update(stored)
    frame.color_trc, frame.color_primaries, frame.colorspace = transfer, primaries, matrix
    frame.color_range = ColorRange.JPEG if is_full else ColorRange.MPEG
    return frame


def shown(av_frame, display=None):
    """The frame as the reader gives it."""
    display = np.eye(2, dtype=int) if display is None else display
    size = av_frame.width, av_frame.height
    return Frame(1, None, 0.04, True, *(size if display[0, 0] else size[::-1]), av_frame, display)


def error_of(rgb, wanted):
    return np.abs(rgb.astype(int) - wanted).mean()


@pytest.mark.parametrize("transfer", [ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"is_full": True},
        {"bits": 12},
        {"bits": 12, "is_full": True},
        {"primaries": ColorPrimaries.UNSPECIFIED},
        {"matrix": UNTAGGED},
    ],
)
def test_an_hdr_frame_becomes_the_picture_that_it_was_made_from(transfer, how):
    wanted = picture()
    frame = shown(hdr_frame(wanted, transfer, **how))
    assert error_of(frame.rgb, wanted) < 0.7
    assert frame.rgb.std() == pytest.approx(wanted.std(), abs=0.5)
    assert frame.rgb[5, 155].tolist() == [255] * 3 and frame.rgb[5, 5].tolist() == [0] * 3


def test_hlg_of_8_bits_is_as_good_as_its_bits():
    wanted = picture()
    assert error_of(shown(hdr_frame(wanted, ColorTrc.ARIB_STD_B67, bits=8)).rgb, wanted) < 2


@pytest.mark.parametrize("transfer", [ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67])
def test_a_thumbnail_and_a_turned_frame_have_the_same_colours(transfer):
    frame = shown(hdr_frame(picture(), transfer))
    means = frame.rgb.reshape(8, 16, 10, 16, 3).mean((1, 3))
    assert error_of(frame.thumbnail(10), means) < 1
    turned = shown(frame.av_frame, np.array([[0, 1], [-1, 0]]))
    assert np.array_equal(turned.rgb, np.rot90(frame.rgb, -1))


@pytest.mark.parametrize("transfer", [ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67])
def test_what_is_brighter_than_white_is_white(transfer):
    frame = hdr_frame(picture(), transfer)
    for number, plane in enumerate(frame.planes):
        plane.update(np.full(plane.buffer_size // 2, 512 if number else 940, np.uint16))
    assert (shown(frame).rgb == 255).all()


@pytest.mark.parametrize("transfer", [1, 2, 13, 14, 15])  # of SDR: BT.709, untagged, sRGB, BT.2020 in 10 and 12 bits
def test_sdr_stays_as_it_is_to_the_last_bit(transfer):
    frame = hdr_frame(picture(), ColorTrc.SMPTE2084)
    frame.color_trc = transfer
    assert not is_hdr(frame)
    assert np.array_equal(shown(frame).rgb, frame.to_ndarray(format="rgb24", threads=1))


def test_the_frames_own_tags_count(tmp_path):
    """A stream that turns from SDR to HDR on the way."""
    parts = []
    for transfer in ("bt709", "arib-std-b67"):
        options = {"x264-params": f"colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc"}
        with av.open(str(tmp_path / "part.h264"), "w", format="h264") as container:
            stream = container.add_stream("libx264", rate=25, options=options)
            (stream.width, stream.height), stream.pix_fmt = SIZE, "yuv420p10le"
            for _ in range(3):
                frame = av.VideoFrame.from_ndarray(np.full((192, 160), 512, np.uint16), format="yuv420p10le")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        parts.append((tmp_path / "part.h264").read_bytes())
    (tmp_path / "v.h264").write_bytes(b"".join(parts))
    greys = [frame.rgb.mean() for frame in read_video(tmp_path / "v.h264")]
    assert len(greys) == 6
    assert greys[:3] == pytest.approx([130] * 3, abs=3) and greys[3:] == pytest.approx([151] * 3, abs=8)
