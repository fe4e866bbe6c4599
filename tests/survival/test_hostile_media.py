"""Files that would have FFmpeg read another file or a network address: they are refused, and nothing else is read.

The other file is a pipe, whose writer wakes up as soon as anybody opens it; the address is a socket of this test.
"""

import os
import re
import shutil
import socket
import struct
import subprocess
import threading

import imageio_ffmpeg
import pytest

from frame_expressions.artifacts.parquet import read_parquet, read_provenance
from frame_expressions.media import audio
from frame_expressions.media.frame_images import FrameSettings
from frame_expressions.media.limits import Limits
from frame_expressions.runtime.errors import MediaError
from tests.media import H264, LIMITS, make_flash_and_beep
from tests.survival.mutations import survive
from tests.survival.test_broken_media import boxes
from workflow_scripts import extract_frames, resample_audio


class Traps:
    """Other things that a hostile file names: `canary`, a pipe, and `port`, where a socket listens."""

    def __init__(self, folder):
        self.canary = folder / "canary.mp4"
        os.mkfifo(self.canary)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.setblocking(False)
        self.port = self._listening.getsockname()[1]
        self._opened = threading.Event()
        self._closing = False
        self._writer = threading.Thread(target=self._wait, daemon=True)
        self._writer.start()

    def _wait(self):
        pipe = os.open(self.canary, os.O_WRONLY)  # until somebody reads
        if not self._closing:
            self._opened.set()
        os.close(pipe)

    def touched(self):
        """Which of them were."""
        found = ["canary"] if self._opened.wait(0.2) else []
        try:
            self._listening.accept()[0].close()
        except BlockingIOError:
            return found
        return [*found, "socket"]

    def close(self):
        self._closing = True
        if self._writer.is_alive():
            os.close(os.open(self.canary, os.O_RDONLY | os.O_NONBLOCK))
            self._writer.join(5)
        self._listening.close()


@pytest.fixture
def traps(tmp_path):
    set_up = Traps(tmp_path)
    yield set_up
    set_up.close()


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
HLS_KEY = '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI="{}"\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n'
CONCAT = "ffconcat version 1.0\nfile '{}'\n"
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S">'
    '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{}</BaseURL>'
    '<SegmentList><SegmentURL media="{}"/></SegmentList></Representation></AdaptationSet></Period></MPD>'
)
SRT = "1\n00:00:00,000 --> 00:00:01,000\n<img src='{}'>\n"
ASS = "[Script Info]\nScriptType: v4.00+\nVideo File: {}\n[Events]\nDialogue: 0,0:00:00.00,0:00:01.00,,,0,0,0,,{}\n"
MICRODVD = "{{1}}{{1}}25\n{{1}}{{50}}{}\n"
IMF = '<?xml version="1.0"?><AssetMap xmlns="http://www.smpte-ra.org/schemas/429-9/2007/AM"><Path>{}</Path></AssetMap>'
PLAYLIST = "[playlist]\nFile1={}\nNumberOfEntries=1\n"
SCRIPTS = {
    name: text
    for name, text in globals().items()
    if name in ("HLS", "HLS_KEY", "CONCAT", "DASH", "SRT", "ASS", "MICRODVD", "IMF", "PLAYLIST")
}
SDP = (
    "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {} RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    "a=control:rtsp://127.0.0.1:{}/x\n"
)


def addresses(traps):
    port = f"127.0.0.1:{traps.port}"
    return [f"{traps.canary}", f"file:{traps.canary}", traps.canary.name, f"http://{port}/x.ts", f"tcp://{port}"]


def hostile_texts(traps):
    for name, text in SCRIPTS.items():
        for address in addresses(traps):
            yield f"{name} {address}", text.replace("{{", "{").replace("}}", "}").replace("{}", address)
    yield "SDP", SDP.replace("{}", str(traps.port))


def test_scripts_that_name_other_files_are_refused_and_open_none(tmp_path, traps):
    video = tmp_path / "v.mp4"
    for name, text in hostile_texts(traps):
        video.write_text(text)
        timeline, frames = tmp_path / "timeline.parquet", tmp_path / "frames.parquet"
        settings = {"settings": FrameSettings("thumbnails", 32, 80), "limits": Limits(**LIMITS)}
        extract_frames.run(video=video, timeline=timeline, frames=frames, on_bad_video="skip", **settings)
        reason = read_provenance(timeline)["settings"]["skipped"]
        assert re.search("cannot be opened as a video|is not a video by its content", reason), name
        assert read_parquet(frames).num_rows == 0
    assert traps.touched() == []


def test_without_the_whitelists_the_traps_would_be_sprung(tmp_path, traps):
    for address in (f"file:{traps.canary}", f"http://127.0.0.1:{traps.port}/x.ts"):
        (tmp_path / "v.m3u8").write_text(HLS.replace("{}", address))
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-allowed_extensions", "ALL", "-extension_picky", "0"]
        command += ["-protocol_whitelist", "file,http,tcp,crypto", "-i", str(tmp_path / "v.m3u8"), "-f", "null", "-"]
        program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            program.wait(1.5)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
    assert traps.touched() == ["canary", "socket"]


def box(kind, content):
    return struct.pack(">I", 8 + len(content)) + kind + content


def with_reference(moov, entry):
    """The movie box with `entry` as every track's reference to where its samples are."""
    if moov[4:8] == b"dref":
        return box(b"dref", bytes(4) + struct.pack(">I", 1) + entry)
    if moov[4:8] not in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        return moov
    parts, position = b"", 8
    while position < len(moov):
        (size,) = struct.unpack(">I", moov[position : position + 4])
        parts += with_reference(moov[position : position + size], entry)
        position += size
    return box(moov[4:8], parts)


def alias(path):
    """QuickTime's reference to another file, as libavformat reads it. Source: libavformat/mov.c."""
    name, whole = path.name.encode(), str(path).encode()
    even = whole + bytes(len(whole) % 2)
    content = bytes(4) + bytes(10) + bytes([0]) + bytes(27) + bytes(12)
    content += bytes([len(name)]) + name.ljust(63, b"\0") + bytes(16) + struct.pack(">HH", 1, 1) + bytes(16)
    content += struct.pack(">HH", 2, len(whole)) + even + struct.pack(">HH", 0xFFFF, 0)
    return box(b"alis", content)


@pytest.mark.parametrize("kind", ["alis", "url "])
def test_a_movie_whose_samples_are_said_to_be_elsewhere_is_read_alone(tmp_path, traps, kind):
    make_flash_and_beep(tmp_path / "plain.mov", 25, [*H264, "-c:a", "aac"])
    found = boxes((tmp_path / "plain.mov").read_bytes())
    entry = alias(traps.canary) if kind == "alis" else box(b"url ", bytes(4) + f"file:{traps.canary}\0".encode())
    moov = with_reference(found[b"moov"], entry)
    assert moov != found[b"moov"]
    video = tmp_path / "v.mp4"
    video.write_bytes(found[b"ftyp"] + found.get(b"wide", b"") + found[b"mdat"] + moov)
    outcome = survive(video, tmp_path / "made")
    assert outcome.failures == {} and traps.touched() == []
    if kind == "alis":  # the reference is one that libavformat would follow if it were told to
        options = ["-nostdin", "-enable_drefs", "1", "-use_absolute_path", "1", "-i", str(video), "-f", "null", "-"]
        program = subprocess.Popen([imageio_ffmpeg.get_ffmpeg_exe(), *options], stderr=subprocess.DEVNULL)
        try:
            program.wait(1.5)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
        assert traps.touched() == ["canary"]


NAMES = [
    "-i.mkv",
    "--help",
    " a  b .mkv",
    "'\"`$(touch x)`.mkv",
    "new\nline.mkv",
    "%d.mkv",
    "frame%03d.mkv",
    "{video}.mkv",
    "[0-9]*?.mkv",
    "..mkv",
    "a|b;c&d.mkv",
    "concat:a.mkv",
    "http:__x.mkv",
    "pipe:0",
    "\\.mkv",
    "\udcff.mkv",
    "é" * 123 + ".mkv",
]


def test_names_of_files_are_only_names(tmp_path):
    make_flash_and_beep(tmp_path / "good.mkv", 25, [*H264, "-c:a", "aac"])
    (tmp_path / "sub").mkdir()
    (tmp_path / "frame001.mkv").write_text("what the pattern would mean")
    expected = None
    for name in [*NAMES, "sub/../good.mkv"]:
        video, made = tmp_path / name, tmp_path / "made"
        if not video.exists():
            shutil.copy(tmp_path / "good.mkv", video)
        refusing = {"on_bad_video": "stop", "limits": Limits(**LIMITS)}
        timeline, frames = made / "timeline.parquet", made / "frames.parquet"
        settings = FrameSettings("none", 0, 0)
        extract_frames.run(video=video, timeline=timeline, frames=frames, settings=settings, **refusing)
        resample_audio.run(stream="auto", video=video, timeline=timeline, audio=made / "audio.flac", **refusing)
        samples, state = audio.read_audio(made / "audio.flac")
        found = (read_parquet(timeline).to_pydict(), samples.tolist(), state)
        assert found == (expected := expected or found), name
        assert list(read_provenance(timeline)["inputs"]) == [video.name]
    assert len(expected[0]["frame"]) == 50 and expected[2] == "audible"
    assert not (tmp_path / "x").exists()


def test_a_pattern_is_no_name_of_the_files_that_it_fits(tmp_path):
    make_flash_and_beep(tmp_path / "frame001.mkv", 25, [*H264, "-an"])
    settings = {"settings": FrameSettings("none", 0, 0), "on_bad_video": "stop", "limits": Limits(**LIMITS)}
    for name in ("frame%03d.mkv", "frame*.mkv", "frame00[1].mkv"):
        with pytest.raises(MediaError, match="is missing or is not a file"):
            extract_frames.run(video=tmp_path / name, timeline=tmp_path / "t", frames=tmp_path / "f", **settings)
