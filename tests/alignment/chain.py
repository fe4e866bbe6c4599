"""What each stage stored for frame k, read back from pixels and audio."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from frame_expressions.artifacts.parquet import read_parquet, write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import FACES
from frame_expressions.challenge.alignment import labels_for_frames, rows_from_frames
from frame_expressions.faces.boxes import cuts_metadata
from frame_expressions.faces.crops import CropSettings
from frame_expressions.faces.tracking import SubjectSettings
from frame_expressions.media.audio import SAMPLE_RATE, read_audio
from frame_expressions.media.frame_images import FrameSettings
from frame_expressions.media.limits import Limits
from tests.alignment import beeps, numbered_frames
from tests.alignment.generator import Clip
from tests.media import LIMITS
from workflow_scripts import crop_faces, extract_frames, resample_audio, select_subject, window_audio

SCALES = [0.9, 1.2, 1.5]
CROP_PX = 64
HALF_WIDTH_S = 0.5
LARGEST_BEEP_SLIP_S = 0.01
DIFFERENCES = (0, 1, 2, 3, -1, -2, -3)  # rows of an annotation or template minus frames


@dataclass
class Found:
    """What was checked of one clip: frames, crops, rows and beeps, the largest slips, and every error."""

    frames: int = 0
    crops: int = 0
    rows: int = 0
    beeps: int = 0
    slip_s: float = 0.0
    beep_slip_s: float = 0.0
    state: str = ""
    damaged: set[int] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def expect(self, true: bool, error: str) -> None:
        """Note `error` unless `true`."""
        if not true:
            self.errors.append(error)


@dataclass(frozen=True)
class Files:
    """The artifacts of one clip, whose name is also its track's."""

    folder: Path
    name: str

    def __getattr__(self, stage: str) -> Path:
        """results/<stage>/<name>.parquet or .flac."""
        return self.folder / stage / f"{self.name}.{'flac' if stage == 'audio' else 'parquet'}"


def run(clip: Clip, video: Path, folder: Path) -> tuple[Found, Files]:
    """Run a clip through the stages and check what they stored."""
    found, files = Found(), Files(folder, clip.name)
    extract_frames.run(
        video=video,
        timeline=files.timeline,
        frames=files.frames,
        settings=FrameSettings(images="full", thumbnail_px=0, jpeg_quality=95),
        on_bad_video="stop",
        limits=Limits(**LIMITS),
    )
    num_frames = _check_timeline(clip, files, found)
    numbers = _check_frames(files, found)
    _write_faces(clip, files.faces, num_frames)
    select_subject.run(
        faces=files.faces,
        timeline=files.timeline,
        subject=files.subjects,
        person="auto",
        overrides=[],
        settings=SubjectSettings(max_gap_s=0.5, takeover_s=3.0, min_iou=0.3, min_similarity=0.25, memory=0.9),
    )
    crop_faces.run(
        video=video,
        subject=files.subjects,
        crops=files.crops,
        settings=CropSettings(SCALES, jpeg_quality=95),
        size_px=CROP_PX,
        num_threads=1,
    )
    _check_crops(files, found, num_frames)
    resample_audio.run(
        stream="auto",
        video=video,
        timeline=files.timeline,
        audio=files.audio,
        on_bad_video="stop",
        limits=Limits(**LIMITS),
    )
    window_audio.run(
        audio=files.audio,
        timeline=files.timeline,
        windows=files.audio_windows,
        half_width_s=HALF_WIDTH_S,
        window_centre="start",
    )
    _check_audio(clip, files, found)
    _check_rows(files.name, found, numbers, num_frames)
    return found, files


def read_numbers(path: Path, read: Callable[[int, np.ndarray, float], int]) -> Iterator[tuple[int, int | str]]:
    """The frame number of each image, and the number read from its pixels or the reason why it cannot be read."""
    table = read_parquet(path).to_pydict()
    for row, (frame, jpeg) in enumerate(zip(table["frame"], table["jpeg"], strict=True)):
        rgb = np.asarray(Image.open(io.BytesIO(jpeg)))
        try:
            yield frame, read(frame, rgb, table["scale"][row] if "scale" in table else 1.0)
        except numbered_frames.Unreadable as error:
            yield frame, str(error)


def _check_timeline(clip: Clip, files: Files, found: Found) -> int:
    table = read_parquet(files.timeline)
    frame, time_s = table["frame"].to_numpy(), table["time_s"].to_numpy()
    wanted = np.array([float(time) for time in clip.times_s])
    whole = clip.kept_share == 1
    least, most = (len(wanted), len(wanted)) if whole else (len(wanted) // 3, len(wanted) - 1)
    found.expect(least <= len(frame) <= most, f"{len(frame)} frames, not {least} to {most}")
    common = min(len(frame), len(wanted))
    found.expect((frame == np.arange(1, len(frame) + 1)).all(), "frames are not numbered 1, 2, ...")
    slips = np.abs(time_s[:common] - wanted[:common])
    found.slip_s = float(slips.max(initial=0))
    for number in np.flatnonzero(slips > clip.largest_slip_s + 1e-9):
        found.errors.append(f"frame {number + 1} is at {time_s[number]:.4f} s, not {wanted[number]:.4f} s")
    size = {(row["width_px"], row["height_px"]) for row in table.select(["width_px", "height_px"]).to_pylist()}
    found.expect(size == {clip.size}, f"frames of {size} px, not {clip.size}")
    found.damaged = set(frame[~table["decoded"].to_numpy()].tolist())
    found.expect(found.damaged <= (set() if whole else {len(frame)}), f"frames {found.damaged} are called damaged")
    return len(frame)


def _check_frames(files: Files, found: Found) -> dict[int, int | str]:
    """The number that each undamaged frame shows."""
    numbers = dict(read_numbers(files.frames, lambda frame, rgb, _: numbered_frames.read_frame(rgb, frame)))
    numbers = {frame: number for frame, number in numbers.items() if frame not in found.damaged}
    found.frames = len(numbers)
    for frame, number in numbers.items():
        found.expect(number == frame, f"frames/ holds {number!r} for frame {frame}")
    return numbers


def _write_faces(clip: Clip, path: Path, num_frames: int) -> None:
    rows = [
        {"frame": frame, "xyxy_px": numbered_frames.face_box(frame, clip.size), "score": 0.9}
        for frame in range(1, num_frames + 1)
    ]
    write_parquet(pa.Table.from_pylist(rows, schema=FACES), path, provenance_of({}), cuts_metadata([]))


def _check_crops(files: Files, found: Found, num_frames: int) -> None:
    status = read_parquet(files.subjects)["status"].to_pylist()
    found.expect(status == ["detected"] * num_frames, "subjects/ lacks a face in some frame")
    frames = []
    for frame, number in read_numbers(files.crops, lambda _, rgb, scale: numbered_frames.read_square(rgb, scale)):
        frames.append(frame)
        if frame not in found.damaged:
            found.crops += 1
            found.expect(number == frame, f"crops/ holds {number!r} for frame {frame}")
    found.expect(frames == [k for k in range(1, num_frames + 1) for _ in SCALES], "crops/ lacks a frame or scale")


def _check_audio(clip: Clip, files: Files, found: Found) -> None:
    samples, found.state = read_audio(files.audio)
    time_s = read_parquet(files.timeline)["time_s"].to_numpy()
    windows = read_parquet(files.audio_windows)
    found.expect(found.state == clip.state, f"audio is called {found.state}, not {clip.state}")
    found.expect(windows["frame"].to_pylist() == list(range(1, len(time_s) + 1)), "audio_windows/ lacks a frame")
    audible = windows["audible"].to_numpy()
    if clip.state != "audible":
        found.expect(not audible.any() and not samples.any(), "audio was found in a clip without any")
        return
    try:
        heard = beeps.find(samples, SAMPLE_RATE)
    except beeps.Unheard as error:
        found.errors.append(str(error))
        return
    wanted = [which for which in clip.heard if clip.kept_share == 1 or clip.beep_times_s[which] < time_s[-1] - 0.3]
    names = [which for which, _ in heard]
    found.expect(names[: len(wanted)] == wanted, f"beeps {names} are heard, not {wanted}")
    found.expect(clip.kept_share < 1 or len(names) == len(wanted), f"{len(names)} beeps, not {len(wanted)}")
    for which, middle_s in heard:
        frame = clip.beep_frames[which]
        if frame > len(time_s):
            continue
        window = windows.slice(frame - 1, 1).to_pylist()[0]
        in_window_s = middle_s - (window["start_sample"] + window["end_sample"]) / 2 / SAMPLE_RATE
        found.beeps += 1
        for slip_s, where in ((middle_s - time_s[frame - 1], "audio/"), (in_window_s, "audio_windows/")):
            found.beep_slip_s = max(found.beep_slip_s, abs(slip_s))
            largest_s = LARGEST_BEEP_SLIP_S if clip.joined else max(LARGEST_BEEP_SLIP_S, clip.largest_slip_s)
            found.expect(abs(slip_s) <= largest_s, f"{where} has frame {frame}'s beep {slip_s:+.4f} s off")
        found.expect(bool(audible[frame - 1]), f"frame {frame} has no audio")


def _check_rows(track: str, found: Found, numbers: dict[int, int | str], num_frames: int) -> None:
    """Annotation row k, of class k % 8, reaches the frame that shows k, and its prediction reaches submission row k."""
    if any(isinstance(number, str) for number in numbers.values()):
        return  # reported by _check_frames
    time_s = np.arange(num_frames) / 25
    predictions = np.array([numbers.get(frame, frame) % 8 for frame in range(1, num_frames + 1)], np.int8)
    for difference in DIFFERENCES:
        num_rows = num_frames + difference
        labels = labels_for_frames((np.arange(1, num_rows + 1) % 8).astype(np.int8), time_s, track)
        for frame, number in numbers.items():
            wanted = number % 8 if number <= num_rows else -1
            found.expect(labels[frame - 1] == wanted, f"{difference:+d} annotation rows: frame {frame} slips")
            found.rows += 1
        written = rows_from_frames(predictions, time_s, num_rows, track)
        for row in range(1, num_rows + 1):
            wanted = min(row, num_frames) % 8
            found.expect(written[row - 1] == wanted, f"{difference:+d} submission rows: row {row} slips")
            found.rows += 1
