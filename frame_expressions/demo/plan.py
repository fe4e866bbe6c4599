"""The files of the demo corpus, in the layout of Aff-Wild2.

Imported whenever the Snakefile is parsed, so it must import only the standard library; it draws nothing. All paths are
relative to the root of the corpus. Frame numbers are 1-based.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from frame_expressions.runtime.errors import InputError

ANNOTATIONS = "10th ABAW Annotations/EXPR_Recognition_Challenge"
TEMPLATE = "test_set_examples/ABAW_Expr_test_set_example.txt"
TEST_TRACKS = "names_of_videos_in_each_test_set/Expression_Recognition_Challenge_test_set_release.txt"
RECORD = ".made_by_workflow"
"""The list of the files that make_demo_videos wrote, so the next plan can remove those it does not contain."""
ANNOTATION_FOLDERS = {"train": "Train_Set", "validation": "Validation_Set"}

FRAME_RATES = ("30", "25", "24000/1001", "30000/1001", "15", "25", "15/2", "30", "23", "30000/1001")
ASPECTS = (Fraction(4, 3), Fraction(4, 3), Fraction(16, 9), Fraction(3, 4))
SAMPLE_RATES_HZ = (44100, 48000, 16000, 32000)
LATE_AUDIO_S = 0.5
FIRST_AT_EDGE = {"train": 4, "validation": 3, "test": 1}
"""In every split, each `edge_every`-th track shows a face cut by the frame's edge; this track is one of them."""


@dataclass(frozen=True)
class DemoPerson:
    """One annotated person.

    extra_rows: rows of the annotation or template beyond the video's frames. at_edge: the frame's edge cuts the face.
    """

    track: str
    split: str
    extra_rows: int = 0
    at_edge: bool = False

    @property
    def annotation(self) -> str | None:
        """Path of the annotation; None for a test track."""
        folder = ANNOTATION_FOLDERS.get(self.split)
        return f"{ANNOTATIONS}/{folder}/{self.track}.txt" if folder else None


@dataclass(frozen=True)
class DemoVideo:
    """One video: audio is `full`, `late` (it starts LATE_AUDIO_S into the video) or `none` (no audio stream)."""

    name: str
    folder: str
    suffix: str
    fps: Fraction
    num_frames: int
    width_px: int
    height_px: int
    audio: str
    sample_rate_hz: int
    persons: tuple[DemoPerson, ...]

    @property
    def path(self) -> str:
        """Path of the video file."""
        return f"{self.folder}/{self.name}{self.suffix}"


def plan_videos(
    train_tracks: int, validation_tracks: int, test_tracks: int, clip_s: float, height_px: int, edge_every: int
) -> tuple[DemoVideo, ...]:
    """The corpus's videos, train first, test last.

    One video shows two people, one in train and one in validation, as also happens in Aff-Wild2. The first tracks of a
    split reproduce the oddities of the real corpus; with few tracks, some oddities are left out. One track in
    `edge_every` shows a face cut by the frame's edge. Raises InputError if the sizes are too small for a corpus.
    """
    if min(train_tracks, validation_tracks) < 2 or test_tracks < 1 or clip_s < 1 or height_px < 160:
        raise InputError(
            "The demo corpus is too small: demo.videos.train_tracks and demo.videos.validation_tracks must be at least "
            "2, demo.videos.test_tracks and demo.videos.clip_s at least 1, and demo.videos.height_px at least 160",
            "raise the values below these minimums",
        )
    oddities = {
        ("train", 0): {"name": "102", "suffix": ".avi"},
        ("train", 1): {"name": "102-30-640x360"},
        ("train", 2): {"name": "28-30-1280x720-2", "audio": "none"},
        ("train", 3): {"name": "video45_3", "extra_rows": 1},
        ("validation", 0): {"audio": "late"},
        ("test", 0): {"extra_rows": 1},
        ("test", test_tracks - 1): {"folder": "new_vids"},
    }
    videos = []
    for split, count in (("train", train_tracks - 1), ("validation", validation_tracks - 1), ("test", test_tracks)):
        for place in range(count):
            odd = oddities.get((split, place), {})
            at_edge = (place - FIRST_AT_EDGE[split]) % edge_every == 0
            videos.append(_video(len(videos), (split,), clip_s, height_px, at_edge=at_edge, **odd))
    videos.insert(train_tracks - 1, _video(len(videos), ("train", "validation"), clip_s, height_px))
    return tuple(videos)


def _video(
    number: int,
    splits: tuple[str, ...],
    clip_s: float,
    height_px: int,
    name: str | None = None,
    folder: str | None = None,
    suffix: str = ".mp4",
    audio: str = "full",
    **person: object,
) -> DemoVideo:
    fps = Fraction(FRAME_RATES[number % len(FRAME_RATES)])
    aspect = Fraction(16, 9) if len(splits) > 1 else ASPECTS[number % len(ASPECTS)]
    name = name or _name(number)
    sides = ("_left", "_right") if len(splits) > 1 else ("",)
    return DemoVideo(
        name=name,
        folder=folder or ("batch1", "batch2")[number % 2],
        suffix=suffix,
        fps=fps,
        num_frames=max(1, round(clip_s * fps)),
        width_px=2 * round(height_px * aspect / 2),
        height_px=2 * round(height_px / 2),
        audio=audio,
        sample_rate_hz=SAMPLE_RATES_HZ[number % len(SAMPLE_RATES_HZ)],
        persons=tuple(DemoPerson(name + side, split, **person) for side, split in zip(sides, splits, strict=True)),
    )


def _name(number: int) -> str:
    """A name in one of the three styles of Aff-Wild2; as in Aff-Wild2, the frame rate in a name may be wrong."""
    family, count = number % 3, 200 + 7 * number
    return (f"{count}-30-1280x720", str(count), f"video{count}_{1 + number % 4}")[family]


def video_paths(videos: tuple[DemoVideo, ...]) -> list[str]:
    """Paths of the videos, in order."""
    return [video.path for video in videos]


def annotation_paths(videos: tuple[DemoVideo, ...]) -> list[str]:
    """Paths of the annotations of train and validation tracks, in the order of the videos."""
    return [person.annotation for video in videos for person in video.persons if person.annotation]


def planned_paths(videos: tuple[DemoVideo, ...]) -> list[str]:
    """Paths of every file of the corpus: videos, annotations, template, list of test tracks."""
    return [*video_paths(videos), *annotation_paths(videos), TEMPLATE, TEST_TRACKS]


def names_of_test_tracks(videos: tuple[DemoVideo, ...]) -> list[str]:
    """Names of the test tracks, in the order of the template."""
    return [person.track for video in videos for person in video.persons if person.split == "test"]


def recorded_paths(root: Path) -> set[str]:
    """Paths of the files that make_demo_videos last wrote in `root`; empty before the first time."""
    record = root / RECORD
    return set(record.read_text().splitlines()) if record.exists() else set()
