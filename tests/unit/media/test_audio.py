"""Audio on the video's clock: flashes and beeps at the same moment, in many containers."""

import av
import numpy as np
import pytest
import soundfile

from frame_expressions.artifacts.vocabulary import AUDIBLE, NO_AUDIO, SILENT
from frame_expressions.media.audio import UndecodableAudio, read_audio, read_recorded, write_audio
from frame_expressions.media.audio_alignment import Recording, align
from frame_expressions.media.audio_decoder import SAMPLE_RATE, Block, decode_blocks
from frame_expressions.media.clock import UNSHIFTED
from frame_expressions.media.video import read_video
from frame_expressions.runtime.errors import InputError
from tests.media import BEEP_S, H264, make_flash_and_beep, read_aligned


def loud_s(samples, share=0.3):
    return np.flatnonzero(np.abs(samples.astype(float)) > share * np.abs(samples.astype(float)).max()) / SAMPLE_RATE


@pytest.mark.parametrize(
    ("name", "rate", "codecs", "settings"),
    [
        ("cfr.mp4", 30, [*H264, "-c:a", "aac"], {}),
        ("late.mp4", 25, [*H264, "-c:a", "aac"], {"audio_starts_s": 0.5}),
        ("late.mkv", 7.5, [*H264, "-c:a", "libopus"], {"audio_starts_s": 0.5}),
        ("late.ts", 25, ["-c:v", "mpeg2video", "-bf", "2", "-c:a", "mp2"], {"audio_starts_s": 0.5}),
        ("ntsc.mkv", 29.97, [*H264, "-c:a", "pcm_s16le"], {"hz": 192000}),
        ("film.mov", 23.976, [*H264, "-c:a", "pcm_s16le"], {"hz": 8000}),
        ("offset.mkv", 30, [*H264, "-c:a", "libmp3lame"], {"start_s": 2.0, "options": ["-copyts"]}),
        ("stereo.avi", 25, ["-c:v", "mpeg4", "-bf", "2", "-c:a", "pcm_s16le"], {"options": ["-ac", "2"]}),
        ("b.avi", 25, [*H264, "-c:a", "pcm_s16le"], {}),
        ("f.flv", 25, [*H264, "-c:a", "libmp3lame"], {"hz": 44100}),
        ("mp3.avi", 25, ["-c:v", "mpeg4", "-c:a", "libmp3lame"], {}),
        ("mp3_at_22_khz.avi", 25, ["-c:v", "mpeg4", "-c:a", "libmp3lame"], {"hz": 22050}),
        ("mp2.avi", 25, ["-c:v", "mpeg4", "-c:a", "mp2"], {"hz": 44100}),
        ("aac.avi", 25, [*H264, "-c:a", "aac"], {}),
    ],
)
def test_the_beep_lies_within_10_ms_of_its_frame(tmp_path, name, rate, codecs, settings):
    path = tmp_path / name
    wanted = make_flash_and_beep(path, rate, codecs, **settings)
    frames = list(read_video(path))
    flash = max(frames, key=lambda frame: frame.rgb.mean())
    assert flash.number == wanted
    time_s, samples, _ = read_aligned(path)
    assert loud_s(samples)[0] == pytest.approx(time_s[wanted - 1], abs=0.01)
    assert loud_s(samples)[-1] == pytest.approx(time_s[wanted - 1] + BEEP_S, abs=0.01)


def test_gaps_in_the_audio_are_filled(tmp_path):
    cut = ",aselect='not(between(t,0.3,0.7))'"
    make_flash_and_beep(tmp_path / "g.mkv", 25, [*H264, "-c:a", "pcm_s16le"], gap=cut)
    _, samples, _ = read_aligned(tmp_path / "g.mkv")
    assert loud_s(samples)[0] == pytest.approx(1.2, abs=0.01)


def test_decoding_ends_soon_after_what_is_wanted(tmp_path):
    make_flash_and_beep(tmp_path / "v.mkv", 25, [*H264, "-c:a", "pcm_s16le"])
    blocks = list(decode_blocks(tmp_path / "v.mkv", 1, UNSHIFTED, 0.1))
    assert SAMPLE_RATE <= sum(len(block.samples) for block in blocks) < 2 * SAMPLE_RATE + 1


def test_a_file_without_audio_has_no_samples(tmp_path, caplog):
    make_flash_and_beep(tmp_path / "v.mkv", 25, [*H264, "-an"])
    _, samples, state = read_aligned(tmp_path / "v.mkv")
    assert state == NO_AUDIO and len(samples) == 2 * SAMPLE_RATE and not samples.any() and not caplog.records


def spoil_audio(path, first, spoilt):
    """Copy a video, with every audio packet from number `first` on replaced by zeros."""
    with av.open(str(path)) as before, av.open(str(spoilt), "w") as after:
        streams = [after.add_stream_from_template(stream) for stream in before.streams]
        number = 0
        for packet in before.demux():
            if packet.dts is None:
                continue
            number += packet.stream.type == "audio"
            if packet.stream.type == "audio" and number > first:
                zeros = av.Packet(bytes(packet.size))
                zeros.pts, zeros.dts, zeros.time_base = packet.pts, packet.dts, packet.time_base
                zeros.stream = streams[packet.stream.index]
                after.mux(zeros)
            else:
                packet.stream = streams[packet.stream.index]
                after.mux(packet)
    return spoilt


@pytest.mark.parametrize("codec", ["aac", "libmp3lame"])
def test_the_intact_part_of_damaged_audio_is_kept(tmp_path, caplog, codec):
    make_flash_and_beep(tmp_path / "v.mp4", 25, [*H264, "-c:a", codec])
    path = spoil_audio(tmp_path / "v.mp4", 60, tmp_path / "spoilt.mp4")  # after about 1.3 s
    _, samples, _ = read_aligned(path)
    loud = loud_s(samples)
    assert loud[0] == pytest.approx(1.2, abs=0.01) and loud[-1] == pytest.approx(1.2 + BEEP_S, abs=0.01)
    assert "The audio of" in caplog.text and "spoilt.mp4 is damaged (ffmpeg: " in caplog.text
    assert "Invalid data found" in caplog.text


@pytest.mark.parametrize(("name", "codec"), [("v.mp4", "aac"), ("v.ts", "mp2")])
def test_undecodable_audio_is_reported_with_the_last_line_of_ffmpeg(tmp_path, name, codec):
    make_flash_and_beep(tmp_path / name, 25, [*H264, "-c:a", codec])
    path = spoil_audio(tmp_path / name, 0, tmp_path / f"spoilt_{name}")
    with pytest.raises(UndecodableAudio, match=r"spoilt.* none of it can be decoded; ") as refused:
        read_aligned(path)
    assert bool(refused.value.ffmpeg) == (codec == "aac")  # mp2 without a rate is not even tried


def test_audio_in_an_unknown_format_is_reported(tmp_path):
    make_flash_and_beep(tmp_path / "v.mkv", 25, [*H264, "-c:a", "libopus"])
    content = (tmp_path / "v.mkv").read_bytes()
    (tmp_path / "v.mkv").write_bytes(content.replace(b"A_OPUS", b"A_MINE"))
    with pytest.raises(UndecodableAudio, match=r"v\.mkv .* no decoder knows its format; "):
        read_aligned(tmp_path / "v.mkv")


def test_flac_keeps_samples_state_and_origin_and_is_the_same_each_time(tmp_path):
    samples = np.array([0, 1, -1, 32767, -32768], np.int16)
    for name in ("a.flac", "b.flac"):
        write_audio(samples, AUDIBLE, tmp_path / name, {"settings": {"é": 1}, "inputs": {"x" * 255: "0" * 64}})
    read, state = read_audio(tmp_path / "a.flac")
    assert state == AUDIBLE and read.dtype == np.float32
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
    with pytest.raises(InputError, match="does not state whether it is audible"):
        read_audio(tmp_path / "c.flac")
    with pytest.raises(InputError, match=r"c\.flac does not state which of its samples were recorded; delete it"):
        read_recorded(tmp_path / "c.flac")


def test_the_file_states_which_samples_were_recorded(tmp_path):
    for recorded, stated in ((None, (0, 100)), ((20, 80), (20, 80)), ((0, 0), (0, 0))):
        write_audio(np.ones(100, np.int16), AUDIBLE, tmp_path / "a.flac", {}, recorded)
        assert read_recorded(tmp_path / "a.flac") == stated


@pytest.mark.parametrize(
    ("stamp_s", "recorded"),
    [(0.5, (8000, 24_000)), (-0.5, (0, 8000)), (1.5, (8000, 32_000)), (5.0, (0, 0)), (-3.0, (0, 0))],
)
def test_what_was_recorded_within_the_timeline(stamp_s, recorded):
    """A timeline of 2 s, and audio of 1 s; where it begins at 1.5 s, another half second is at 0.5 s."""
    stamps_s, starts = np.array([stamp_s]), np.array([0])
    if stamp_s == 1.5:
        stamps_s, starts = np.array([0.5, 1.5]), np.array([0, 8000])
    samples = np.ones(starts[-1] + SAMPLE_RATE, np.int16)
    with Recording() as recording:
        recording.add(Block(samples, stamps_s, starts, (0, ""), 0))
        aligned, found = align(recording, 0.0, 2 * SAMPLE_RATE)
    assert found == recorded
    assert not aligned[: found[0]].any() and not aligned[found[1] :].any()
