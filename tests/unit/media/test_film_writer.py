import av
import numpy as np
import pytest
import soundfile

from frame_expressions.media.film_writer import write_video
from frame_expressions.media.timeline import duration_s
from frame_expressions.media.video import read_video
from tests.media import times_of


def _frames(times_s, last_s=None):
    lengths_s = np.diff(times_s, append=duration_s(np.array(times_s), last_s))
    for number, (start_s, length_s) in enumerate(zip(times_s, lengths_s, strict=True)):
        yield start_s, length_s, np.full((48, 64, 3), 20 + 10 * (number % 20), np.uint8)


@pytest.mark.parametrize("times_s", [[0.0], [0.0, 0.04, 0.08, 0.12], [0.0, 0.04, 0.2, 0.213, 1.5]])
def test_every_frame_is_shown_at_its_time_and_the_last_as_long(tmp_path, times_s):
    film = tmp_path / "film.mp4"
    write_video(film, _frames(times_s), None)
    frames = list(read_video(film))
    assert times_of(frames) == pytest.approx(times_s, abs=1e-4)
    assert [round(float(frame.rgb.mean())) for frame in frames] == pytest.approx(
        [20 + 10 * number for number in range(len(times_s))], abs=3
    )
    with av.open(str(film)) as opened:
        assert opened.duration / av.time_base == pytest.approx(duration_s(np.array(times_s)), abs=2e-3)


@pytest.mark.parametrize("with_audio", [False, True])
@pytest.mark.parametrize(("num_frames", "last_s"), [(25, 2.04), (1, 3.0), (2, 0.5), (25, 0.01)])
def test_the_film_shows_the_last_frame_as_long_as_it_is_told(tmp_path, num_frames, last_s, with_audio):
    times_s, length_s = np.arange(num_frames) / 25, (num_frames - 1) / 25 + last_s
    soundfile.write(tmp_path / "audio.flac", np.full(round(length_s * 16_000), 0.1), 16_000)
    film = tmp_path / "film.mp4"
    write_video(film, _frames(times_s, last_s), tmp_path / "audio.flac" if with_audio else None)
    frames = list(read_video(film))
    assert times_of(frames) == pytest.approx(times_s, abs=1e-4)
    assert duration_s(times_s, frames[-1].length_s) == pytest.approx(length_s, abs=2e-3)
    with av.open(str(film)) as opened:
        (stream,) = opened.streams.video
        assert float(stream.duration * stream.time_base) == pytest.approx(length_s, abs=2e-3)
        assert opened.duration / av.time_base == pytest.approx(length_s, abs=2e-3)


def test_audio_starts_with_the_first_frame_and_is_complete(tmp_path):
    audio = np.zeros(32_000, np.float32)
    audio[8000:9600] = 0.5 * np.sin(np.arange(1600) / 16_000 * 2 * np.pi * 1000)
    soundfile.write(tmp_path / "audio.flac", audio, 16_000)
    write_video(tmp_path / "film.mp4", _frames(np.arange(50) / 25), tmp_path / "audio.flac")
    with av.open(str(tmp_path / "film.mp4")) as opened:
        pieces = [(frame.time, frame.to_ndarray()[0]) for frame in opened.decode(audio=0)]
    heard = np.concatenate([samples for _, samples in pieces])
    loud = np.flatnonzero(np.abs(heard) > 0.2)
    first_s = pieces[0][0] + loud[0] / 16_000
    assert first_s == pytest.approx(0.5, abs=0.005)
    assert len(heard) >= 32_000


def test_the_same_frames_give_the_same_bytes(tmp_path):
    soundfile.write(tmp_path / "audio.flac", np.random.default_rng(0).uniform(-0.1, 0.1, 16_000), 16_000)
    for name in ("one", "two"):
        write_video(tmp_path / f"{name}.mp4", _frames(np.arange(20) / 25), tmp_path / "audio.flac")
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_a_film_that_breaks_off_leaves_nothing(tmp_path):
    def breaking():
        yield from list(_frames([0.0, 0.04]))
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        write_video(tmp_path / "film.mp4", breaking(), None)
    assert list(tmp_path.iterdir()) == []
