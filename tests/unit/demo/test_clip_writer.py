from fractions import Fraction

import av
import numpy as np
import pytest

from frame_expressions.demo.clip_writer import write_video

RATE = 16000


def frames(count: int = 12) -> list[np.ndarray]:
    """Half red, half blue, ever brighter."""
    images = np.zeros((count, 48, 64, 3), np.uint8)
    images[:, :, :32, 0] = 100 + 10 * np.arange(count)[:, None, None]
    images[:, :, 32:, 2] = 100 + 10 * np.arange(count)[:, None, None]
    return list(images)


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
@pytest.mark.parametrize("fps", [Fraction(15, 2), Fraction(24000, 1001), Fraction(30)])
def test_every_frame_arrives_once_at_its_time_in_its_colours(tmp_path, suffix, fps):
    path = tmp_path / f"clip{suffix}"
    write_video(path, frames(), fps, (64, 48), np.zeros(RATE, np.float32), RATE)
    with av.open(str(path)) as clip:
        assert len(clip.streams.audio) == 1
        decoded = list(clip.decode(video=0))
    assert len(decoded) == 12
    assert [frame.time - decoded[0].time for frame in decoded] == pytest.approx(
        [k / float(fps) for k in range(12)], abs=1e-3
    )
    for count, frame in enumerate(decoded):
        rgb = frame.to_ndarray(format="rgb24").astype(int)
        assert rgb[24, 8, 0] == pytest.approx(100 + 10 * count, abs=25) and rgb[24, 8, 2] < 60
        assert rgb[24, 56, 2] == pytest.approx(100 + 10 * count, abs=25) and rgb[24, 56, 0] < 60


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_the_same_input_gives_the_same_bytes(tmp_path, suffix):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, RATE).astype(np.float32)
    paths = [tmp_path / f"{name}{suffix}" for name in ("first", "second")]
    for path in paths:
        write_video(path, frames(), Fraction(25), (64, 48), samples, RATE)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_without_samples_there_is_no_audio_stream(tmp_path):
    write_video(tmp_path / "clip.mp4", frames(), Fraction(25), (64, 48), None, RATE)
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        assert not clip.streams.audio


@pytest.mark.parametrize("start_s", [0.0, 0.5])
def test_audio_starts_at_its_time(tmp_path, start_s):
    samples = np.zeros(RATE, np.float32)
    samples[RATE // 4 : RATE // 4 + 400] = np.sin(np.arange(400) * 0.8)
    write_video(tmp_path / "clip.mp4", frames(40), Fraction(25), (64, 48), samples, RATE, start_s)
    with av.open(str(tmp_path / "clip.mp4")) as clip:
        parts = [(frame.time, frame.to_ndarray()[0]) for frame in clip.decode(audio=0)]
    loud = [time + np.abs(part).argmax() / RATE for time, part in parts if np.abs(part).max() > 0.5]
    assert loud[0] == pytest.approx(start_s + 0.25, abs=0.03)


def test_a_failure_carries_what_ffmpeg_said(tmp_path):
    with pytest.raises(RuntimeError, match=r"clip\.mp4: .*divisible by 2"):
        write_video(tmp_path / "clip.mp4", [np.zeros((48, 63, 3), np.uint8)], Fraction(25), (63, 48), None, RATE)
    assert not list(tmp_path.iterdir())
