"""resample_audio: as long as the timeline, in step with it, and in a known state."""

import json
from fractions import Fraction

import numpy as np
import pytest
import soundfile

from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.media.audio import read_audio, read_recorded
from frame_expressions.media.clock import UNSHIFTED
from frame_expressions.media.clock_reader import read_clock
from frame_expressions.media.limits import Limits
from frame_expressions.media.timeline import FrameRow, write_timeline
from frame_expressions.media.video import read_video
from tests.media import H264, LIMITS, make_flash_and_beep
from workflow_scripts.resample_audio import run


def resample(tmp_path, video, num_frames, rate=25):
    clock, start_s = UNSHIFTED, Fraction(0)
    if num_frames:
        clock = read_clock(video, Limits(**LIMITS))
        start_s = next(read_video(video)).stamp_s
    rows = [FrameRow(start_s + Fraction(number, rate), 1 / rate, True, 64, 48) for number in range(num_frames)]
    write_timeline(rows, clock, tmp_path / "t.parquet", provenance_of({}))
    run(
        stream="auto",
        video=video,
        timeline=tmp_path / "t.parquet",
        audio=tmp_path / "a.flac",
        on_bad_video="stop",
        limits=Limits(**LIMITS),
    )
    return tmp_path / "a.flac"


def make(path, audio, **settings):
    make_flash_and_beep(path, 25, [*H264, *audio], **settings)
    return path


def test_audio_is_as_long_as_the_timeline_and_has_provenance(tmp_path):
    video = make(tmp_path / "v.mkv", ["-c:a", "pcm_s16le"])
    audio = resample(tmp_path, video, 50)
    samples, state = read_audio(audio)
    assert len(samples) == 32000 and state == "audible"
    loud = np.flatnonzero(np.abs(samples) > 0.1) / 16000
    assert loud[0] == pytest.approx(1.2, abs=0.01) and loud[-1] == pytest.approx(1.25, abs=0.01)
    with soundfile.SoundFile(audio) as flac:
        comment = json.loads(flac.comment)
    assert comment["provenance"]["inputs"].keys() == {"v.mkv", "t.parquet"}
    content = audio.read_bytes()
    assert resample(tmp_path, video, 50).read_bytes() == content


def test_audio_shorter_or_longer_than_the_video_is_padded_or_cut_with_a_note(tmp_path, caplog):
    caplog.set_level("INFO")
    video = make(tmp_path / "v.mkv", ["-c:a", "pcm_s16le"])
    samples, _ = read_audio(resample(tmp_path, video, 75))
    assert len(samples) == 48000 and not samples[32100:].any()
    assert read_recorded(tmp_path / "a.flac") == (0, 32000)
    assert "the last 1.000 s have no audio: padded with silence" in caplog.text and "cut" not in caplog.text
    samples, state = read_audio(resample(tmp_path, video, 25))
    assert len(samples) == 16000 and "the audio continues for at least 1.000 s after the last frame: cut" in caplog.text
    assert state == "silent"  # the beep was in what was cut
    assert read_recorded(tmp_path / "a.flac") == (0, 16000)


@pytest.mark.parametrize(
    ("settings", "note", "first"),
    [
        ({"audio_starts_s": 0.5}, "the first 0.500 s have no audio: padded with silence", 8000),
        ({"start_s": 0.48, "audio_starts_s": -0.48}, "the audio starts 0.480 s before the first frame: cut", 0),
    ],
)
def test_audio_that_starts_late_or_early_is_padded_or_cut_with_a_note(tmp_path, caplog, settings, note, first):
    caplog.set_level("INFO")
    samples, _ = read_audio(resample(tmp_path, make(tmp_path / "v.mkv", ["-c:a", "pcm_s16le"], **settings), 50))
    assert note in caplog.text and len(samples) == 32000
    assert np.flatnonzero(np.abs(samples) > 0.1)[0] / 16000 == pytest.approx(1.2, abs=0.01)
    assert read_recorded(tmp_path / "a.flac")[0] == pytest.approx(first, abs=16)


def test_no_audio_stream_and_digital_silence_are_told_apart(tmp_path):
    mute = make(tmp_path / "mute.mkv", ["-an"])
    assert read_audio(resample(tmp_path, mute, 50))[1] == "no_audio"
    assert read_recorded(tmp_path / "a.flac") == (0, 0)
    silent = make(tmp_path / "silent.mkv", ["-c:a", "aac", "-af", "volume=0"])
    samples, state = read_audio(resample(tmp_path, silent, 50))
    assert state == "silent" and len(samples) == 32000 and not samples.any()
    assert read_recorded(tmp_path / "a.flac")[1] > 31_000


def test_unreadable_audio_becomes_no_audio_with_a_warning(tmp_path, caplog):
    video = make(tmp_path / "v.mkv", ["-c:a", "libopus"])
    video.write_bytes(video.read_bytes().replace(b"A_OPUS", b"A_MINE"))
    samples, state = read_audio(resample(tmp_path, video, 50))
    assert state == "no_audio" and len(samples) == 32000 and not samples.any()
    assert [record.levelname for record in caplog.records].count("WARNING") == 1 and "v.mkv" in caplog.text


def test_a_skipped_video_gives_one_silent_sample(tmp_path):
    samples, state = read_audio(resample(tmp_path, tmp_path / "missing.mp4", 0))
    assert samples.tolist() == [0] and state == "no_audio"


def test_states_of_real_clips(tmp_path, shared):
    wanted = {
        "faces/WolfgangLanger_Pexels.mp4": "silent",
        "faces/single_face.mp4": "audible",
        "codecs/testsrc2.mp4": "no_audio",
        "names/te[s]t\\ video ' \" .flv": "no_audio",
        "names/IMG_0034.MOV": "audible",
    }
    for name, state in wanted.items():
        assert read_audio(resample(tmp_path, shared / "media" / name, 25))[1] == state, name
