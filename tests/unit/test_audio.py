"""Sound on the video's clock: flashes and beeps at the same moment, in many containers."""

import numpy as np
import pytest
import soundfile

from tests.media import BEEP_S, H264, make_flash_and_beep
from workflow_scripts.lib.errors import InputError
from workflow_scripts.lib.media.audio import (
    SAMPLE_RATE,
    SILENT,
    SOUND,
    decode_audio,
    has_audio,
    read_audio,
    write_audio,
)
from workflow_scripts.lib.media.video import read_video, start_time_s


def decoded(path, num_samples, tmp_path):
    with (tmp_path / "samples").open("w+b") as file:
        count = decode_audio(path, start_time_s(path), num_samples, file)
    samples = np.fromfile(tmp_path / "samples", np.int16)
    assert len(samples) == count
    return samples


@pytest.mark.parametrize(
    ("name", "rate", "codecs", "settings"),
    [
        ("cfr.mp4", 30, [*H264, "-c:a", "aac"], {}),
        ("late.mp4", 25, [*H264, "-c:a", "aac"], {"sound_starts_s": 0.5}),
        ("late.mkv", 7.5, [*H264, "-c:a", "libopus"], {"sound_starts_s": 0.5}),
        ("late.ts", 25, ["-c:v", "mpeg2video", "-bf", "2", "-c:a", "mp2"], {"sound_starts_s": 0.5}),
        ("ntsc.mkv", 29.97, [*H264, "-c:a", "pcm_s16le"], {"hz": 192000}),
        ("film.mov", 23.976, [*H264, "-c:a", "pcm_s16le"], {"hz": 8000}),
        ("offset.mkv", 30, [*H264, "-c:a", "libmp3lame"], {"start_s": 2.0, "options": ["-copyts"]}),
        ("stereo.avi", 25, ["-c:v", "mpeg4", "-bf", "2", "-c:a", "pcm_s16le"], {"options": ["-ac", "2"]}),
        ("b.avi", 25, [*H264, "-c:a", "pcm_s16le"], {}),
        ("f.flv", 25, [*H264, "-c:a", "libmp3lame"], {"hz": 44100}),
    ],
)
def test_the_beep_lies_within_10_ms_of_its_frame(tmp_path, name, rate, codecs, settings):
    path = tmp_path / name
    wanted = make_flash_and_beep(path, rate, codecs, **settings)
    frames = list(read_video(path))
    flash = max(frames, key=lambda frame: frame.rgb.mean())
    assert flash.number == wanted
    samples = decoded(path, 2 * SAMPLE_RATE, tmp_path)
    loud = np.flatnonzero(np.abs(samples) > 0.3 * np.abs(samples).max()) / SAMPLE_RATE
    assert loud[0] == pytest.approx(flash.time_s, abs=0.01)
    assert loud[-1] == pytest.approx(flash.time_s + BEEP_S, abs=0.01)


def test_gaps_in_the_sound_are_filled(tmp_path):
    cut = ",aselect='not(between(t,0.3,0.7))'"
    make_flash_and_beep(tmp_path / "g.mkv", 25, [*H264, "-c:a", "pcm_s16le"], gap=cut)
    samples = decoded(tmp_path / "g.mkv", 2 * SAMPLE_RATE, tmp_path)
    loud = np.flatnonzero(np.abs(samples) > 1000) / SAMPLE_RATE
    assert loud[0] == pytest.approx(1.2, abs=0.01)


def test_decoding_ends_soon_after_what_is_wanted(tmp_path):
    make_flash_and_beep(tmp_path / "v.mkv", 25, [*H264, "-c:a", "pcm_s16le"])
    assert len(decoded(tmp_path / "v.mkv", 1000, tmp_path)) == 1000 + SAMPLE_RATE


def test_a_file_without_sound_is_known(tmp_path):
    make_flash_and_beep(tmp_path / "v.mkv", 25, [*H264, "-an"])
    assert not has_audio(tmp_path / "v.mkv")


def test_a_failure_of_ffmpeg_is_told_in_its_words(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"no video")
    with (
        (tmp_path / "samples").open("w+b") as file,
        pytest.raises(InputError, match=r"v\.mp4.*ffmpeg: .*Invalid data"),
    ):
        decode_audio(tmp_path / "v.mp4", 0.0, 16000, file)


def test_flac_keeps_samples_state_and_origin_and_is_the_same_each_time(tmp_path):
    samples = np.array([0, 1, -1, 32767, -32768], np.int16)
    for name in ("a.flac", "b.flac"):
        write_audio(samples, SOUND, tmp_path / name, {"settings": {"é": 1}, "inputs": {"x" * 255: "0" * 64}})
    read, state = read_audio(tmp_path / "a.flac")
    assert state == SOUND and read.dtype == np.float32
    assert (read * 32768).tolist() == samples.tolist()
    assert (tmp_path / "a.flac").read_bytes() == (tmp_path / "b.flac").read_bytes()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.flac", "b.flac"]
    with soundfile.SoundFile(tmp_path / "a.flac") as flac:
        assert flac.samplerate == 16000 and flac.channels == 1 and "x" * 255 in flac.comment


def test_a_broken_recording_is_refused(tmp_path):
    write_audio(np.arange(20000, dtype=np.int16), SILENT, tmp_path / "a.flac", {})
    whole = (tmp_path / "a.flac").read_bytes()
    for part in (whole[: len(whole) // 2], b"", b"text"):
        (tmp_path / "b.flac").write_bytes(part)
        with pytest.raises(InputError, match=r"b\.flac .*delete it"):
            read_audio(tmp_path / "b.flac")
    soundfile.write(tmp_path / "c.flac", np.zeros(10), 16000)
    with pytest.raises(InputError, match="foreign"):
        read_audio(tmp_path / "c.flac")
