"""The corpus as the rules see it: its tracks by video, by batch and by shard.

Decided from names alone while the Snakefile is parsed, so the whole graph is known immediately.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from frame_expressions.challenge.templates import template_tracks
from frame_expressions.corpora.affwild2 import scan_affwild2
from frame_expressions.corpora.check_files import check_corpus
from frame_expressions.corpora.fold_table import read_fold_table
from frame_expressions.corpora.folder import folder_tracks
from frame_expressions.corpora.folds import given_folds
from frame_expressions.corpora.overrides import read_overrides
from frame_expressions.corpora.problems import Problem, collecting, raise_first
from frame_expressions.corpora.track_table import scan_table
from frame_expressions.corpora.tracks import Track
from frame_expressions.demo.plan import (
    TEMPLATE,
    DemoVideo,
    names_of_test_tracks,
    plan_videos,
    planned_paths,
    recorded_paths,
)
from frame_expressions.runtime.errors import InputError
from frame_expressions.workflow.batches import divide_into_batches, shard_of
from frame_expressions.workflow.prediction import Prediction

DEMO_ROOT = Path("results/demo/affwild2")


@dataclass(frozen=True)
class Video:
    """A video file: its name, its path, the batch that it is in, and its tracks."""

    name: str
    path: str
    batch: str
    tracks: tuple[Track, ...]

    def folder(self, stage: str) -> str:
        """The folder of a stage that holds the files of this video and of its tracks."""
        return _folder(stage, self.batch)


@dataclass(frozen=True)
class Batch:
    """The videos that one job works on."""

    name: str
    videos: tuple[Video, ...]

    @property
    def tracks(self) -> list[Track]:
        """All tracks of its videos."""
        return [track for video in self.videos for track in video.tracks]

    @property
    def names(self) -> list[str]:
        """Names of its videos."""
        return [video.name for video in self.videos]

    @property
    def paths(self) -> list[str]:
        """Files of its videos."""
        return [video.path for video in self.videos]

    def folder(self, stage: str) -> str:
        """The folder that a stage writes for this batch."""
        return _folder(stage, self.name)


@dataclass(frozen=True)
class Shard:
    """The tracks whose features one job computes, and the batches that they are in."""

    name: str
    tracks: tuple[Track, ...]
    batches: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Names of its tracks."""
        return [track.track for track in self.tracks]

    @property
    def videos(self) -> list[str]:
        """The video of each of its tracks, in their order."""
        return [track.video for track in self.tracks]

    def folders(self, stage: str) -> list[str]:
        """The folders of a stage that hold the files of its tracks."""
        return [_folder(stage, batch) for batch in self.batches]


def _folder(stage: str, batch: str) -> str:
    return f"results/{stage}/{batch}"


class Corpus:
    """The tracks, by video, by batch and by shard. template: None where every test frame gets a row."""

    def __init__(
        self,
        tracks: list[Track],
        batch_of: dict[str, str],
        shard_of_track: dict[str, str],
        template: Path | None = None,
        template_is_outdated: bool = False,
        prediction: Prediction | None = None,
    ):
        """batch_of: the batch of each video. shard_of_track: the shard of each track.

        template_is_outdated: the workflow is about to replace the template that exists. prediction: where the tracks
        come from, if they are only predicted.
        """
        self.tracks = tracks
        self.template = str(template) if template else None
        self.prediction = prediction
        self.overrides: dict[str, list[dict]] = {}
        """By track, the rows of the overrides table, in table order."""
        self._template_is_outdated = template_is_outdated
        self._by_name = {track.track: track for track in tracks}
        tracks_of = _tracks_by_video(tracks)
        self._videos = {
            video: Video(video, found[0].path, batch_of[video], tuple(found)) for video, found in tracks_of.items()
        }
        videos_of: dict[str, list[Video]] = {}
        for video in self._videos.values():
            videos_of.setdefault(video.batch, []).append(video)
        self._batches = {batch: Batch(batch, tuple(videos)) for batch, videos in videos_of.items()}
        self._shard_of_track = shard_of_track
        tracks_of_shard: dict[str, list[Track]] = {}
        for track in tracks:
            tracks_of_shard.setdefault(shard_of_track[track.track], []).append(track)
        self._shards = {
            shard: Shard(shard, tuple(found), tuple(sorted({batch_of[track.video] for track in found})))
            for shard, found in tracks_of_shard.items()
        }

    @classmethod
    def divided(
        cls,
        tracks: list[Track],
        template: Path | None,
        num_shards: int,
        videos_per_batch: int,
        template_is_outdated: bool = False,
    ) -> "Corpus":
        """A corpus whose batches and shards follow from the names of its videos."""
        splits_of = {video: {track.split for track in found} for video, found in _tracks_by_video(tracks).items()}
        batches = divide_into_batches(splits_of, videos_per_batch)
        batch_of = {video: batch for batch, videos in batches.items() for video in videos}
        shard_of_track = {track.track: shard_of(batch_of[track.video], track.split, num_shards) for track in tracks}
        return cls(tracks, batch_of, shard_of_track, template, template_is_outdated)

    @classmethod
    def of_prediction(cls, prediction: Prediction, persons: str | int) -> "Corpus":
        """The videos that are only predicted, each in the batch and the shard of its place."""
        split = prediction.split
        tracks = folder_tracks(prediction.folder, prediction.names, split, persons)
        places = {place.name: place for place in prediction.places.values()}
        batch_of = {track.video: f"{split}-{places[track.video].batch:04d}" for track in tracks}
        shard_of_track = {track.track: f"{split}-{places[track.video].shard:03d}" for track in tracks}
        return cls(tracks, batch_of, shard_of_track, prediction=prediction)

    def video(self, name: str) -> Video:
        """A video by name; KeyError for one that is not in the corpus."""
        return self._videos[name]

    def batch(self, name: str) -> Batch:
        """A batch by name; KeyError for one that does not exist."""
        return self._batches[name]

    def shard(self, name: str) -> Shard:
        """A shard by name; KeyError for one that does not exist."""
        return self._shards[name]

    def track(self, name: str) -> Track:
        """A track by name; KeyError for one that is not in the corpus."""
        return self._by_name[name]

    def shard_of(self, video: str) -> Shard:
        """The shard of a video that is only predicted; all its tracks are in one."""
        return self._shards[self._shard_of_track[self._videos[video].tracks[0].track]]

    def video_of(self, track: str) -> Video:
        """The video of a track."""
        return self._videos[self._by_name[track].video]

    @cached_property
    def paths(self) -> dict[str, str]:
        """The file of each video, by its name."""
        return {name: video.path for name, video in self._videos.items()}

    @cached_property
    def annotations(self) -> list[str]:
        """The annotation files."""
        return [track.annotation for track in self.tracks if track.annotation]

    @cached_property
    def labelled_tracks(self) -> list[Track]:
        """Training tracks, then validation tracks."""
        return [*self.split("train"), *self.split("validation")]

    @cached_property
    def group_of(self) -> dict[str, str]:
        """The group of each labelled track: tracks of one video share it."""
        return {track.track: track.group for track in self.tracks if track.split != "test"}

    def split(self, split: str) -> list[Track]:
        """The tracks of a split."""
        return [track for track in self.tracks if track.split == split]

    def folders(self, stage: str, tracks: Iterable[Track] | None = None) -> list[str]:
        """The folders of a stage that hold the files of some tracks, or of their videos; by default of all."""
        batches = {self._videos[track.video].batch for track in (self.tracks if tracks is None else tracks)}
        return [_folder(stage, batch) for batch in sorted(batches)]

    def shard_files(self, modality: str, suffix: str, splits: Iterable[str]) -> list[str]:
        """Feature files of all shards of some splits."""
        wanted = tuple(f"{split}-" for split in splits)
        return [
            f"results/features/{modality}/{shard}.{suffix}"
            for shard in sorted(self._shards)
            if shard.startswith(wanted)
        ]

    def person_rows(self, batch: str) -> list[dict]:
        """Each track of a batch as a plain row: track, video, person, and its overrides."""
        return [
            {
                "track": track.track,
                "video": track.video,
                "person": track.person,
                "overrides": self.overrides.get(track.track, []),
            }
            for track in self.batch(batch).tracks
        ]

    def read_overrides(self, tsv: Path) -> None:
        """Read an overrides table; raises InputError for an invalid row."""
        self.overrides = read_overrides(tsv, self._by_name)

    @property
    def checked_template(self) -> Path | None:
        """The existing template, to be checked; None if the workflow is about to replace it."""
        return Path(self.template) if self.template and not self._template_is_outdated else None

    def check(self, on_bad_video: str) -> None:
        """Raise InputError for a fault in the files that already exist."""
        check_corpus(self.tracks, self.checked_template, on_bad_video)

    def check_splits(self, folds: Iterable[str]) -> None:
        """Raise InputError if a split that a submission by these folds' models needs has no track."""
        official, chosen = "official" in folds, bool({"official", "imported"} & set(folds))
        for split, is_needed in (("train", official), ("validation", chosen), ("test", True)):
            if is_needed and not self.split(split):
                raise InputError(
                    f"The corpus has no {split} track, which a submission needs",
                    "add the files or rows of this split, or ask for another target, such as cross_validation",
                )


def _tracks_by_video(tracks: Iterable[Track]) -> dict[str, list[Track]]:
    found: dict[str, list[Track]] = {}
    for track in tracks:
        found.setdefault(track.video, []).append(track)
    return found


def label_rows(tracks: Iterable[Track]) -> list[dict[str, str]]:
    """Tracks as plain rows with what training and prediction need, without their paths, which may change."""
    names = ("track", "video", "split", "annotation", "label", "group")
    return [{name: getattr(track, name) for name in names} for track in tracks]


def read_corpus(config: dict) -> Corpus:
    """The corpus that the configuration names; raises InputError if anything is missing or ambiguous."""
    corpus, problems = scan_corpus(config)
    raise_first(problems)
    return corpus


def scan_corpus(config: dict) -> tuple[Corpus, list[Problem]]:
    """The corpus, as far as it can be read, and everything that is missing or ambiguous."""
    problems: list[Problem] = []
    corpus = _corpus(config, [], None)
    with collecting(problems):
        corpus, found = _corpus_of_layout(config)
        problems += found
    overrides = config["corpus"]["overrides"]
    if overrides and corpus.tracks:
        with collecting(problems, file=overrides):
            corpus.read_overrides(Path(overrides))
    names = [track.track for track in corpus.labelled_tracks]
    for table in given_folds(config):
        if names and Path(table).is_file():  # otherwise `missing_given_files` finds it
            with collecting(problems, file=table):
                read_fold_table(Path(table), names, config["cross_validation"]["num_folds"])
    return corpus, problems


def _corpus_of_layout(config: dict) -> tuple[Corpus, list[Problem]]:
    settings = config["corpus"]
    if config["predict_videos"]:
        return Corpus.of_prediction(Prediction.of(config), config["predict_persons"]), []
    if settings["layout"] == "demo":
        return _demo_corpus(config)
    template = _given(settings, "template") if settings["template"] else None
    if settings["layout"] == "table":
        tracks, problems = scan_table(_given(settings, "table"), settings["allow_outside_root"])
    else:
        tracks, template, problems = scan_affwild2(_given(settings, "root"), template)
    return _corpus(config, tracks, template), problems


def _corpus(config: dict, tracks: list[Track], template: Path | None, template_is_outdated: bool = False) -> Corpus:
    sizes = config["features"]["num_shards"], config["corpus"]["videos_per_batch"]
    return Corpus.divided(tracks, template, *sizes, template_is_outdated=template_is_outdated)


def _demo_corpus(config: dict) -> tuple[Corpus, list[Problem]]:
    """The planned corpus and the files that a user added to its folder, without those that another plan left there."""
    template, planned, made = DEMO_ROOT / TEMPLATE, demo_files(config), recorded_paths(DEMO_ROOT)
    gone = {Path(path) for path in made} - {path.relative_to(DEMO_ROOT) for path in planned}
    test_tracks = names_of_test_tracks(_demo_videos(config))
    if template.exists():
        not_added = {*test_tracks, *(Path(path).stem for path in made)}
        test_tracks += [name for name in template_tracks(template) if name not in not_added]
    tracks, _, problems = scan_affwild2(DEMO_ROOT, None, planned, test_tracks, gone)
    return _corpus(config, tracks, template, template_is_outdated=bool(gone)), problems


def demo_files(config: dict) -> list[Path]:
    """Every file of the demonstration corpus that the workflow makes."""
    return [DEMO_ROOT / path for path in planned_paths(_demo_videos(config))]


def _demo_videos(config: dict) -> tuple[DemoVideo, ...]:
    return plan_videos(**config["demo"]["videos"])


def _given(settings: dict, key: str) -> Path:
    if settings[key] is None:
        raise InputError(
            f"corpus.{key} is not set, but corpus.layout {settings['layout']} needs it (docs/corpora.md)", "set it"
        )
    if not Path(settings[key]).exists():
        raise InputError(
            f"corpus.{key}: {settings[key]} does not exist",
            f"correct it, since corpus.layout {settings['layout']} needs it (docs/corpora.md)",
        )
    return Path(settings[key])
