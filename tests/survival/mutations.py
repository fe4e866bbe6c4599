"""Broken media by the hundred: does every stage take them, refuse them in a sentence, and leave nothing behind?

    python -m tests.survival.mutations --count 500 --seed 0 [--only N]

Each is a clip of ../shared/media (where that is) or one made here, with bits flipped, a part cut off, another clip's
beginning, a stretch of zeros, or blocks exchanged. It goes through the stages from extract_frames to window_audio in
a child process with limits, with `on_bad_video: skip`. What they leave is read back. A failure keeps its file and is
replayed with --only and its number. The figures go to results/survival.json.
"""

import argparse
import io
import json
import logging
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import skimage.data
from PIL import Image
from tqdm import tqdm

from frame_expressions.artifacts.parquet import read_parquet, read_provenance
from frame_expressions.faces.crops import CropSettings
from frame_expressions.faces.tracking import SubjectSettings
from frame_expressions.media.audio import SAMPLE_RATE, read_audio
from frame_expressions.media.frame_images import FrameSettings
from frame_expressions.media.limits import Limits
from frame_expressions.media.timeline import duration_s, read_last_s
from frame_expressions.runtime.errors import InputError
from tests.conftest import ROOT
from tests.media import H264, LIMITS
from tests.survival.record import record
from workflow_scripts import crop_faces, detect_faces, extract_frames, resample_audio, select_subject, window_audio

RESULT = Path("results/survival.json")
KEPT = Path("results/survival")
NUM_FRAMES = 8  # of a source clip
LARGEST_SOURCE = 300_000  # bytes of a real clip that is used
LONGEST_S = 60.0  # that all stages may take for one file, before it counts as a hang
LARGEST_MB = 2000  # of the process that runs the stages, beyond what it begins with
DECODING = LIMITS | {"frame_timeout_s": 10, "memory_mb": 1000, "video_s": 3600}
SCALES, CROP_PX = [0.9, 1.5], 64
CASCADE = {"scale_factor": 1.2, "step_ratio": 1.5, "min_neighbors": 1}
FOLLOWING = SubjectSettings(max_gap_s=0.5, takeover_s=3.0, min_iou=0.3, min_similarity=0.25, memory=0.9)
MADE = {
    "h264.mp4": [*H264, "-c:a", "aac"],
    "cut_anywhere.mp4": [*H264, "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"],
    "turned.mov": ["-c:v", "mjpeg", "-c:a", "pcm_s16le"],
    "hevc.mp4": ["-c:v", "libx265", "-x265-params", "log-level=none", "-c:a", "libmp3lame"],
    "vp9.webm": ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-c:a", "libopus"],
    "mpeg4.avi": ["-c:v", "mpeg4", "-bf", "2", "-c:a", "libmp3lame"],
    "h264.mkv": [*H264, "-c:a", "flac"],
    "h264.flv": [*H264, "-c:a", "aac"],
    "mpeg2.ts": ["-c:v", "mpeg2video", "-bf", "2", "-c:a", "mp2"],
    "wmv.asf": ["-c:v", "wmv2", "-c:a", "wmav2"],
    "theora.ogg": ["-c:v", "libtheora", "-c:a", "libvorbis"],
    "lossless.nut": ["-c:v", "ffv1", "-c:a", "pcm_s16le"],
}
# Not forked from this process: the library that resizes crops hangs in a child of one that has used its threads.
_CLEAN = get_context("forkserver")
_CLEAN.set_forkserver_preload(["tests.survival.mutations"])


@dataclass(frozen=True)
class Outcome:
    """What became of one file. failures: what must not be, by kind; a refused file with a sentence has none."""

    accepted: bool
    failures: dict[str, str]
    peak_mb: float
    seconds: float


def sources(folder: Path, media: Path | None) -> dict[str, bytes]:
    """The clips to spoil, by name: those made here, and the beginnings of the real ones below `media`."""
    folder.mkdir(parents=True, exist_ok=True)
    portrait = folder.with_name("portrait.png")
    Image.fromarray(skimage.data.astronaut()[:240, 90:330]).save(portrait)
    for name, codecs in MADE.items():
        face = ["-loop", "1", "-framerate", "25", "-i", str(portrait), "-f", "lavfi", "-i", "sine=600"]
        noise = ["-t", str(NUM_FRAMES / 25), "-vf", "noise=alls=3:allf=t"]
        _ffmpeg(*face, *noise, *codecs, "-pix_fmt", "yuvj420p" if "mjpeg" in codecs else "yuv420p", str(folder / name))
    real = sorted(media.rglob("*")) if media else []
    for number, path in enumerate(real):
        if path.suffix.lower() in (".mp4", ".mov", ".flv", ".avi", ".mkv") and path.stat().st_size <= LARGEST_SOURCE:
            short = folder / f"real{number}{path.suffix.lower()}"
            if _ffmpeg("-i", f"file:{path}", "-c", "copy", "-frames:v", str(NUM_FRAMES), str(short), check=False):
                short.write_bytes(path.read_bytes())  # damaged clips among them cannot be cut
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _ffmpeg(*arguments: str, check: bool = True) -> int:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "quiet", "-y", *arguments]
    return subprocess.run(command, check=check).returncode


def flip_bits(content: bytearray, other: bytes, rng: np.random.Generator) -> None:
    """Flip 1 to 100 bits, among the first 1,000 bytes, where headers are, or anywhere."""
    reach = min(1000, len(content)) if rng.random() < 0.5 else len(content)
    for position in rng.integers(0, reach, int(10 ** rng.uniform(0, 2))):
        content[position] ^= 1 << int(rng.integers(8))


def cut(content: bytearray, other: bytes, rng: np.random.Generator) -> None:
    """Leave out the end, the beginning or a part between."""
    first, last = np.sort(rng.integers(0, len(content) + 1, 2))
    which = rng.integers(3)
    del content[0 if which == 0 else first : len(content) if which == 1 else last]


def splice(content: bytearray, other: bytes, rng: np.random.Generator) -> None:
    """Put another clip's beginning in the place of one's own."""
    length = int(10 ** rng.uniform(1, 3.5))
    content[:length] = other[:length]


def zero(content: bytearray, other: bytes, rng: np.random.Generator) -> None:
    """Zero a stretch."""
    start, length = int(rng.integers(0, len(content))), int(10 ** rng.uniform(0, 4))
    length = min(length, len(content) - start)
    content[start : start + length] = bytes(length)


def exchange(content: bytearray, other: bytes, rng: np.random.Generator) -> None:
    """Exchange two blocks of 4 to 1,024 bytes."""
    size = min(2 ** int(rng.integers(2, 11)), len(content) // 2)
    first, second = np.sort(rng.integers(0, len(content) - size + 1, 2))
    if second >= first + size:
        content[first : first + size], content[second : second + size] = (
            content[second : second + size],
            content[first : first + size],
        )


KINDS: tuple[Callable[[bytearray, bytes, np.random.Generator], None], ...] = (flip_bits, cut, splice, zero, exchange)


def mutated(clips: dict[str, bytes], seed: int, number: int) -> tuple[str, bytes]:
    """Name and content of a mutation, the same for the same clips, seed and number."""
    rng = np.random.default_rng([seed, number])
    names = list(clips)
    name, other = (names[index] for index in rng.integers(0, len(names), 2))
    content = bytearray(clips[name])
    for kind in rng.choice(len(KINDS), rng.integers(1, 4)):
        if len(content) > 8:
            KINDS[kind](content, clips[other], rng)
    return f"{number}{Path(name).suffix}", bytes(content)


def survive(video: Path, folder: Path, context: BaseContext = _CLEAN) -> Outcome:
    """Send a file through the stages in a child process, and look what it leaves: artifacts, sentences, processes."""
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_run, args=(video, folder, sender))
    started = time.monotonic()
    child.start()
    sender.close()
    failures: dict[str, str] = {}
    accepted, peak_mb = False, 0.0
    try:
        if receiver.poll(LONGEST_S):
            accepted, failures, peak_mb = receiver.recv()
        else:
            failures["hangs"] = f"not done after {LONGEST_S:.0f} s"
    except EOFError:
        failures["crashes"] = "ended without a word"
    child.join(0 if "hangs" in failures else LONGEST_S)
    if left := _of_session(child.pid):
        if "hangs" not in failures:
            failures["orphans"] = f"{len(left)} processes are left"
        for process in left:
            os.kill(process, signal.SIGKILL)
    child.join()
    receiver.close()
    return Outcome(accepted, failures, peak_mb, time.monotonic() - started)


def _of_session(leader: int) -> list[int]:
    """Processes of a session that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def _run(video: Path, folder: Path, sender: Connection) -> None:
    os.setsid()
    pages = int(Path("/proc/self/statm").read_text().split()[5])
    largest = pages * resource.getpagesize() + LARGEST_MB * 1_000_000
    resource.setrlimit(resource.RLIMIT_DATA, (largest, largest))
    failures = {}
    accepted = False
    try:
        _stages(video, folder)
        accepted = _is_accepted(folder)
        wrong = list(_wrong(folder, accepted))
        if wrong:
            failures["unverified"] = "; ".join(wrong)
    except InputError as error:  # bad videos shall be skipped and not stop the run
        failures["stops"] = str(error)
    except Exception:
        failures["crashes"] = traceback.format_exc()
    peak_kb = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    sender.send((accepted, failures, peak_kb / 1000))


def _stages(video: Path, folder: Path) -> None:
    refusing = {"on_bad_video": "skip", "limits": Limits(**DECODING)}
    timeline, faces, subject = (folder / f"{name}.parquet" for name in ("timeline", "faces", "subject"))
    extract_frames.run(
        video=video,
        timeline=timeline,
        frames=folder / "frames.parquet",
        settings=FrameSettings(images="thumbnails", thumbnail_px=64, jpeg_quality=80),
        **refusing,
    )
    detect_faces.run(
        videos=[video],
        timelines=[timeline],
        faces=[faces],
        detector={"name": "cascade", "min_side_px": 50, **CASCADE},
        model=None,
        num_threads=1,
    )
    select_subject.run(faces=faces, timeline=timeline, subject=subject, person="auto", overrides=[], settings=FOLLOWING)
    crop_faces.run(
        video=video,
        subject=subject,
        crops=folder / "crops.parquet",
        settings=CropSettings(SCALES, jpeg_quality=80),
        size_px=CROP_PX,
        num_threads=1,
    )
    resample_audio.run(stream="auto", video=video, timeline=timeline, audio=folder / "audio.flac", **refusing)
    window_audio.run(
        audio=folder / "audio.flac",
        timeline=timeline,
        windows=folder / "windows.parquet",
        half_width_s=0.5,
        window_centre="middle",
    )


def _is_accepted(folder: Path) -> bool:
    return "skipped" not in read_provenance(folder / "timeline.parquet")["settings"]


def _wrong(folder: Path, accepted: bool) -> Iterator[str]:
    """What is not as the contracts say in the artifacts of one video."""
    table = {path.stem: read_parquet(path) for path in folder.glob("*.parquet")}
    timeline, time_s = table["timeline"], table["timeline"]["time_s"].to_numpy()
    num_frames = len(timeline)
    numbers = list(range(1, num_frames + 1))
    if accepted != (num_frames > 0):
        yield f"{num_frames} frames, accepted: {accepted}"
    sentence = read_provenance(folder / "timeline.parquet")["settings"].get("skipped", "A sentence.")
    if not sentence.endswith(".") or str(folder.parent) in sentence:
        yield f"no sentence: {sentence}"
    for name in ("timeline", "frames", "subject", "windows"):
        if table[name]["frame"].to_pylist() != numbers:
            yield f"{name} has not the frames 1 to {num_frames}"
    if not (np.isfinite(time_s).all() and (np.diff(time_s) > 0).all() and (time_s[:1] == 0).all()):
        yield "times do not rise from 0"
    if num_frames and min(timeline["width_px"].to_numpy().min(), timeline["height_px"].to_numpy().min()) < 1:
        yield "an empty frame"
    if not set(table["faces"]["frame"].to_pylist()) <= set(numbers):
        yield "faces in frames that are not there"
    boxes = table["subject"]["xyxy_px"]
    seen = [frame for frame, box in zip(numbers, boxes.to_pylist(), strict=True) if box is not None]
    if table["crops"]["frame"].to_pylist() != [frame for frame in seen for _ in SCALES]:
        yield "crops do not belong to the boxes"
    for name, longest_px in (("frames", 64), ("crops", CROP_PX)):
        for jpeg in table[name]["jpeg"].to_pylist():
            with Image.open(io.BytesIO(jpeg)) as image:
                image.load()
                if max(image.size) > longest_px:
                    yield f"{name} has an image of {image.size} px"
    samples, state = read_audio(folder / "audio.flac")
    length_s = duration_s(time_s, read_last_s(folder / "timeline.parquet"))
    if len(samples) != max(1, round(length_s * SAMPLE_RATE)) or not np.isfinite(samples).all():
        yield f"{len(samples)} samples for {length_s} s"
    if (state == "audible") != bool(samples.any()):
        yield f"state {state}"
    if left := [path.name for path in folder.iterdir() if path.name[0] == "."]:
        yield f"{left[0]} is left behind"


def survey(numbers: list[int], seed: int, media: Path | None, kept: Path) -> dict:
    """The figures of some mutations; each that fails is printed, and its file kept in the folder `kept`."""
    counts: Counter[str] = Counter()
    peak_mb, longest_s, failed = 0.0, 0.0, []
    with tempfile.TemporaryDirectory() as folder:
        clips = sources(Path(folder) / "clips", media)
        for number in tqdm(numbers, desc="mutations", disable=None):
            name, content = mutated(clips, seed, number)
            video, made = Path(folder) / name, Path(folder) / "made"
            video.write_bytes(content)
            outcome = survive(video, made)
            if outcome.peak_mb > LARGEST_MB:
                outcome.failures["memory"] = f"{outcome.peak_mb:.0f} MB"
            counts.update(outcome.failures.keys())
            counts["accepted" if outcome.accepted else "refused"] += not outcome.failures
            peak_mb, longest_s = max(peak_mb, outcome.peak_mb), max(longest_s, outcome.seconds)
            for kind, text in outcome.failures.items():
                failed.append(number)
                kept.mkdir(parents=True, exist_ok=True)
                shutil.copy(video, kept / f"mutation-{seed}-{name}")
                print(f"mutation {number} ({kept / f'mutation-{seed}-{name}'}), {kind}: {text}", flush=True)
            video.unlink()
            shutil.rmtree(made, ignore_errors=True)
    figures = {kind: counts[kind] for kind in ("accepted", "refused", *FAILURES)}
    return figures | {
        "files": len(numbers),
        "seed": seed,
        "sources": len(clips),
        "peak_mb": round(peak_mb),
        "memory_limit_mb": LARGEST_MB,
        "longest_s": round(longest_s, 1),
        "time_limit_s": LONGEST_S,
        "failed": sorted(set(failed)),
    }


FAILURES = ("crashes", "stops", "hangs", "orphans", "unverified", "memory")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="replay the mutation of this number; results stay as they are")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # every refusal is one
    shared = ROOT.parent / "shared/media"
    chosen = list(range(arguments.count)) if arguments.only is None else [arguments.only]
    found = survey(chosen, arguments.seed, shared if shared.is_dir() else None, KEPT)
    print(json.dumps(found, indent=2))
    if arguments.only is None:
        record("mutations", found, RESULT)
    sys.exit(1 if found["failed"] else 0)
