"""Frames and audio stay on one clock, however a recorder wrote the time stamps."""

import subprocess
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np
import pytest

from frame_expressions.media.audio_alignment import Recording, align
from frame_expressions.media.audio_decoder import SAMPLE_RATE, Block
from frame_expressions.media.clock import Clock
from frame_expressions.media.clock_reader import Stamps, clock_of, read_clock
from frame_expressions.media.limits import Limits
from frame_expressions.media.timeline import frame_times
from frame_expressions.runtime.errors import MediaError
from tests.media import LIMITS, read_aligned

CODECS = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2"]
FRAMES = 50  # of a part, 25 a second


def ffmpeg(*arguments):
    subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y", *map(str, arguments)], check=True
    )


def make_part(path, *codecs, hz=48000, options=()):
    """Two seconds with a white frame and a beep of 0.1 s at 0 and 1 s."""
    image = "color=black:s=64x48:r=25:d=2,drawbox=color=white:t=fill:enable='eq(mod(n,25),0)'"
    audio = f"aevalsrc='0.5*sin(2*PI*1000*t)*lt(mod(t,1),0.1)':s={hz}:d=2"
    ffmpeg(
        "-f", "lavfi", "-i", image, "-f", "lavfi", "-i", audio, *(codecs or [*CODECS, "-c:a", "aac"]), *options, path
    )
    return path


def join(path, *parts):
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def onsets_s(samples):
    """When the beeps begin."""
    level = np.abs(samples[: len(samples) // 80 * 80].astype(float)).reshape(-1, 80).mean(axis=1)
    loud = level > 0.3 * level.max()
    return np.flatnonzero(np.diff(np.concatenate([[0], loud])) == 1) * 80 / SAMPLE_RATE


def check(path, num_parts):
    """Every beep begins with a white frame: those of all parts, and no others."""
    time_s, samples, state = read_aligned(path)
    assert len(time_s) == num_parts * FRAMES and (np.diff(time_s) > 0).all() and state == "audible"
    flashes = time_s[np.arange(0, len(time_s), 25)]
    assert onsets_s(samples) == pytest.approx(flashes, abs=0.015)
    return time_s


def test_a_transport_stream_that_starts_again(tmp_path):
    part = make_part(tmp_path / "a.ts")
    time_s = check(join(tmp_path / "joined.ts", part, part, part), 3)
    assert time_s[-1] == pytest.approx(6.0, abs=0.1)


@pytest.mark.parametrize("offset_s", [1.3, 1.9, 1.96, 7.0])
def test_parts_that_overlap_or_leave_a_gap(tmp_path, offset_s):
    part = make_part(tmp_path / "a.ts")
    ffmpeg("-i", part, "-c", "copy", "-output_ts_offset", offset_s, tmp_path / "b.ts")
    time_s = check(join(tmp_path / "joined.ts", part, tmp_path / "b.ts"), 2)
    assert time_s[FRAMES] == pytest.approx(7.0 if offset_s == 7 else 2.0, abs=0.1)


def test_a_program_stream_that_starts_again(tmp_path):
    part = make_part(tmp_path / "a.vob", "-c:v", "mpeg2video", "-bf", "2", "-c:a", "mp2")
    check(join(tmp_path / "joined.vob", part, part), 2)


@pytest.mark.parametrize(("hz", "channels"), [(44100, 2), (32000, 1), (48000, 2)])
def test_audio_that_changes_its_format(tmp_path, hz, channels):
    first = make_part(tmp_path / "a.ts")
    second = make_part(tmp_path / "b.ts", hz=hz, options=["-ac", channels])
    check(join(tmp_path / "joined.ts", first, second), 2)


@pytest.mark.parametrize("grid_ms", [100, 200])
def test_stamps_rounded_down_to_a_grid(tmp_path, grid_ms):
    """As Chrome's MediaRecorder writes them: several frames share a stamp, and the next one is right."""
    part = make_part(tmp_path / "a.webm", "-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus")
    ffmpeg("-i", part, "-c", "copy", "-bsf:v", f"setts=ts='floor(TS/{grid_ms})*{grid_ms}'", tmp_path / "b.webm")
    ffmpeg("-i", tmp_path / "b.webm", "-map", "0", "-c", "copy", "-r:v", "10", tmp_path / "c.mkv")
    for name in ("b.webm", "c.mkv"):
        time_s, samples, _ = read_aligned(tmp_path / name)
        assert time_s == pytest.approx(np.arange(FRAMES) * 0.04, abs=grid_ms / 1000)
        assert onsets_s(samples) == pytest.approx([0, 1], abs=0.015)


@pytest.mark.parametrize("jitter_ms", [3, 6, 10, 15])
def test_jitter_of_audio_stamps_cuts_nothing(tmp_path, jitter_ms):
    image, tone = "testsrc2=s=64x48:r=25:d=3", "sine=frequency=440:sample_rate=48000:duration=3"
    codecs = ["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"]
    ffmpeg("-f", "lavfi", "-i", image, "-f", "lavfi", "-i", tone, *codecs, tmp_path / "a.webm")
    jitter = f"setts=ts='TS+floor({jitter_ms}*random(0))'"
    ffmpeg("-i", tmp_path / "a.webm", "-c", "copy", "-bsf:a", jitter, tmp_path / "b.webm")
    _, smooth, _ = read_aligned(tmp_path / "a.webm")
    _, samples, _ = read_aligned(tmp_path / "b.webm")
    level = np.abs(samples[1600:46400].astype(float)).reshape(-1, 80).max(axis=1)
    assert level.min() > 0.7 * np.abs(smooth.astype(float)).max()


def rewrite(source, target, change):
    """Copy a file; `change(packet, number)` may alter a packet, or return None to leave it out."""
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        streams = {stream.index: after.add_stream_from_template(stream) for stream in before.streams}
        numbers = dict.fromkeys(streams, 0)
        for packet in before.demux():
            if packet.size == 0:
                continue
            index = packet.stream.index
            changed = change(packet, numbers[index])
            numbers[index] += 1
            if changed is not None:
                changed.stream = streams[index]
                after.mux(changed)
    return target


def test_a_real_gap_in_jittering_audio_is_filled(tmp_path):
    part = make_part(tmp_path / "a.mkv", "-c:v", "mjpeg", "-c:a", "pcm_s16le")
    random = np.random.default_rng(0)

    def change(packet, number):
        if packet.stream.type == "audio":
            at_s = float(packet.pts * packet.time_base)
            if 0.3 < at_s < 0.7:
                return None
            packet.pts = packet.dts = packet.pts + int(random.integers(0, 6))
        return packet

    _, samples, _ = read_aligned(rewrite(part, tmp_path / "b.mkv", change))
    assert onsets_s(samples) == pytest.approx([0, 1], abs=0.015)


@pytest.mark.parametrize("drift", [0.005, -0.005])
def test_audio_that_drifts_is_followed(drift):
    """A minute whose stamps say that the recorder's clock ran too fast or too slow, with a click every 5 s."""
    starts = np.arange(0, 60 * SAMPLE_RATE, 320)
    samples = np.zeros(60 * SAMPLE_RATE, np.int16)
    clicks_s = np.arange(2, 60, 5)
    for click_s in clicks_s:
        samples[click_s * SAMPLE_RATE : click_s * SAMPLE_RATE + 160] = 20_000
    jitter_s = np.random.default_rng(0).uniform(0, 0.004, len(starts))
    with Recording() as recording:
        recording.add(Block(samples, starts / SAMPLE_RATE * (1 + drift) + jitter_s, starts, (0, ""), 0))
        aligned, recorded = align(recording, 0.0, 61 * SAMPLE_RATE)
    assert recorded[0] == pytest.approx(0, abs=80)
    assert recorded[1] == pytest.approx(60 * (1 + drift) * SAMPLE_RATE, abs=160)
    heard = onsets_s(aligned)
    assert len(heard) == len(clicks_s) and heard == pytest.approx(clicks_s * (1 + drift), abs=0.01)


def make_streams(path, first, second, *dispositions):
    filters = {
        "silence": "anullsrc=r=48000:d=2",
        "beeps": "aevalsrc='0.5*sin(2*PI*1000*t)*lt(mod(t,1),0.1)':s=48000:d=2",
    }
    filters["tone"] = "sine=frequency=440:sample_rate=48000:duration=2"
    inputs = ["-f", "lavfi", "-i", "color=black:s=64x48:r=25:d=2"]
    for name in (first, second):
        inputs += ["-f", "lavfi", "-i", filters[name]]
    maps = ["-map", "0", "-map", "1", "-map", "2", *CODECS, "-c:a", "pcm_s16le"]
    ffmpeg(*inputs, *maps, "-metadata:s:a:1", "language=deu", "-metadata:s:a:1", "title=Mic", *dispositions, path)
    return path


def test_the_default_audio_stream_is_used_unless_it_is_silent(tmp_path):
    second = ("-disposition:a:0", "0", "-disposition:a:1", "default")
    first = ("-disposition:a:0", "default", "-disposition:a:1", "0")
    for streams, flags in (
        (("silence", "beeps"), second),
        (("silence", "beeps"), first),
        (("beeps", "tone"), first),
        (("tone", "beeps"), second),
    ):
        _, samples, state = read_aligned(make_streams(tmp_path / "v.mkv", *streams, *flags))
        assert state == "audible" and onsets_s(samples) == pytest.approx([0, 1], abs=0.01), (streams, flags)


@pytest.mark.parametrize("stream", [1, "deu", "mic"])
def test_an_audio_stream_is_chosen_by_number_language_or_title(tmp_path, stream):
    path = make_streams(tmp_path / "v.mkv", "tone", "beeps")
    assert onsets_s(read_aligned(path, stream)[1]) == pytest.approx([0, 1], abs=0.01)


def test_the_delay_of_the_chosen_stream_counts(tmp_path):
    """AVI does not state that an MP3 decoder delays its audio; the first stream, PCM, has no delay."""
    path = make_streams(tmp_path / "v.avi", "tone", "beeps", "-c:a:1", "libmp3lame")
    assert onsets_s(read_aligned(path, 1)[1]) == pytest.approx([0, 1], abs=0.012)


def test_a_default_stream_that_does_not_decode_is_named_and_another_is_used(tmp_path, caplog):
    path = make_streams(tmp_path / "v.mkv", "tone", "beeps", "-c:a:0", "libopus", "-disposition:a:0", "default")
    path.write_bytes(path.read_bytes().replace(b"A_OPUS", b"A_MINE"))
    assert onsets_s(read_aligned(path)[1]) == pytest.approx([0, 1], abs=0.01)
    assert "no decoder knows its format" in caplog.text


def test_an_audio_stream_that_is_not_there_is_named_with_those_that_are(tmp_path):
    path = make_streams(tmp_path / "v.mkv", "tone", "beeps")
    with pytest.raises(
        MediaError, match=r"v\.mkv has no audio stream 'fra', only 0, 1 \(deu, Mic\); correct audio\.stream"
    ):
        read_aligned(path, "fra")


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_u8", "flac", "aac"])
def test_channels_of_opposite_phase_do_not_cancel(tmp_path, codec, caplog):
    path = make_part(tmp_path / "v.mkv", *CODECS, "-c:a", codec, options=["-af", "pan=stereo|c0=c0|c1=-1*c0"])
    _, samples, state = read_aligned(path)
    assert state == "audible" and onsets_s(samples) == pytest.approx([0, 1], abs=0.015)
    assert np.abs(samples.astype(int)).max() > 10_000 and "channels of" in caplog.text


def test_channels_that_differ_are_still_averaged(tmp_path, caplog):
    path = make_part(tmp_path / "v.mkv", *CODECS, "-c:a", "pcm_s16le", options=["-af", "pan=stereo|c0=c0|c1=0*c0"])
    _, samples, _ = read_aligned(path)
    assert np.abs(samples.astype(int)).max() == pytest.approx(0.25 * 32768, rel=0.02) and not caplog.records


def stamps(dts_s, position=0):
    dts_s = np.array(dts_s, float)
    return Stamps(position + np.arange(len(dts_s)) * 100.0, dts_s, dts_s, dts_s + 0.04)


STEADY = np.arange(30) * 0.04


def test_a_steady_clock_is_left_alone():
    assert clock_of({0: stamps(STEADY), 1: stamps(STEADY + 0.01)}) == Clock()


@pytest.mark.parametrize("wrong_s", [-5.0, 0.0, 100.0])
@pytest.mark.parametrize("count", [1, 3])
def test_a_few_wrong_stamps_are_no_joint(wrong_s, count):
    broken = STEADY.copy()
    broken[10 : 10 + count] = wrong_s + np.arange(count) * 0.04
    clock = clock_of({0: stamps(broken)})
    assert clock == Clock(wrong={0: list(range(10, 10 + count))})


def test_a_stream_that_goes_on_keeps_its_clock_where_another_jumps():
    jumping = np.concatenate([STEADY, STEADY])
    clock = clock_of({0: stamps(jumping), 1: stamps(np.arange(60) * 0.04)})
    assert list(clock.shifts) == [0] and clock.shifts[0] == [(30, pytest.approx(1.2))]


def test_streams_of_unequal_length_stay_together():
    """The audio of the first part ends early; the second part starts again."""
    video, audio = np.concatenate([STEADY, STEADY]), np.concatenate([STEADY[:10], STEADY])
    of_audio = Stamps(np.concatenate([np.arange(10), 30 + np.arange(30)]) * 100.0, audio, audio, audio + 0.04)
    clock = clock_of({0: stamps(video), 1: of_audio})
    assert clock.shifts == {0: [(30, pytest.approx(1.2))], 1: [(10, pytest.approx(1.2))]}
    assert Clock.from_dict(clock.as_dict()) == clock


def test_missing_repeated_and_stray_stamps_move_no_later_frame():
    step = Fraction(1, 25)
    right = [number * step for number in range(10)]

    def times(changed):
        return frame_times([changed.get(number, stamp) for number, stamp in enumerate(right)], 0.04)[0]

    steady = np.arange(10) * 0.04
    for changed in ({4: None}, {4: right[3], 5: right[3]}, {4: Fraction(100)}, {4: Fraction(-3)}, {9: None}, {0: None}):
        assert times(changed) == pytest.approx(steady), changed
    assert frame_times([None] * 3, 0.04)[0] == pytest.approx([0, 0.04, 0.08])
    close = [Fraction(0), Fraction(1), Fraction(2), Fraction(2), Fraction(11, 5)]
    assert frame_times(close, 1.0)[0] == pytest.approx([0, 1, 2, 2.1, 2.2])
    held = [Fraction(0), Fraction(0), Fraction(10), Fraction(10) + step]
    assert frame_times(held, 0.04)[0][[0, 2, 3]] == pytest.approx([0, 10, 10.04])


def test_the_clock_of_a_file_in_one_piece_changes_nothing(tmp_path):
    for name in ("a.ts", "a.mp4", "a.mkv"):
        assert read_clock(make_part(tmp_path / name), Limits(**LIMITS)) == Clock()
