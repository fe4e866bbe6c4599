"""The corpus as the rules ask for it: which tracks, videos, shards and files there are.

Decided from names alone while the Snakefile is parsed, so that the whole graph is known at once.
"""

from collections.abc import Iterable
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

from frame_expressions.challenge.templates import template_tracks
from frame_expressions.corpora.affwild2 import scan_affwild2
from frame_expressions.corpora.check_files import check_corpus
from frame_expressions.corpora.folder import folder_name, scan_folder
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

DEMO_ROOT = Path("results/demo/affwild2")


class Corpus:
    """Tracks with the look-ups that rules need; `template` is None where every test frame gets a row."""

    def __init__(
        self,
        tracks: list[Track],
        template: Path | None,
        num_shards: int,
        videos_per_batch: int,
        prefix: str = "",
        template_is_outdated: bool = False,
    ):
        """prefix: of the batches' names, which keeps their files apart from another corpus's.

        template_is_outdated: the workflow is about to replace the template that is there.
        """
        self.tracks = tracks
        self._template_is_outdated = template_is_outdated
        self._overrides: dict[str, list[dict]] = {}
        self.template = str(template) if template else None
        self._by_name = {track.track: track for track in tracks}
        self._path_of = {track.video: track.path for track in tracks}
        self._tracks_of: dict[str, list[Track]] = {}
        for track in tracks:
            self._tracks_of.setdefault(track.video, []).append(track)
        splits_of = {video: {track.split for track in found} for video, found in self._tracks_of.items()}
        batches = divide_into_batches(splits_of, videos_per_batch)
        self._batches = {prefix + batch: videos for batch, videos in batches.items()}
        self._batch_of = {video: batch for batch, videos in self._batches.items() for video in videos}
        self._shards: dict[str, list[str]] = {}
        for track in tracks:
            shard = shard_of(self._batch_of[track.video], track.split, num_shards)
            self._shards.setdefault(shard, []).append(track.track)

    def check(self, on_bad_video: str) -> None:
        """Raise InputError for what is wrong with the files that are already there."""
        check_corpus(self.tracks, self.checked_template, on_bad_video)

    def check_splits(self, folds: Iterable[str]) -> None:
        """Raise InputError for a split without a track, if the submission that these folds' models predict needs it."""
        official, chosen = "official" in folds, bool({"official", "imported"} & set(folds))
        for split, is_needed in (("train", official), ("validation", chosen), ("test", True)):
            if is_needed and not self.tracks_in(split):
                raise InputError(
                    f"The corpus has no {split} track, and no submission can be made without",
                    "add the files or rows of this split, or give another target, such as cross_validation",
                )

    @property
    def checked_template(self) -> Path | None:
        """The template that is there to be checked; None where the workflow is about to replace it."""
        return Path(self.template) if self.template and not self._template_is_outdated else None

    @cached_property
    def rows(self) -> list[dict[str, str]]:
        """Every track as a plain row."""
        return [asdict(track) for track in self.tracks]

    @cached_property
    def labelled_rows(self) -> list[dict[str, str]]:
        """Training and validation tracks with what fusion training needs of them."""
        return [*self.rows_in("train"), *self.rows_in("validation")]

    @cached_property
    def group_of(self) -> dict[str, str]:
        """The group of each labelled track: tracks of one video share it."""
        return {track.track: track.group for track in self.tracks if track.split != "test"}

    @cached_property
    def unannotated_tracks(self) -> list[str]:
        """Labelled tracks whose label stands for the whole clip."""
        return [track.track for track in self.tracks if track.split != "test" and not track.annotation]

    @cached_property
    def video_paths(self) -> list[str]:
        """Each video file once."""
        return list(self._path_of.values())

    @cached_property
    def annotations(self) -> list[str]:
        """The annotation files."""
        return [track.annotation for track in self.tracks if track.annotation]

    def track(self, name: str) -> Track:
        """A track by name; KeyError for one that is not in the corpus."""
        return self._by_name[name]

    def read_overrides(self, tsv: Path) -> None:
        """Take the rows of a table of overrides; raises InputError for what does not fit."""
        self._overrides = read_overrides(tsv, self._by_name)

    def path_of(self, video: str) -> str:
        """A video's file."""
        return self._path_of[video]

    @property
    def videos(self) -> list[str]:
        """Names of all videos."""
        return list(self._path_of)

    @property
    def paths(self) -> dict[str, str]:
        """Each video's file."""
        return self._path_of

    def tracks_about(self, video: str) -> list[str]:
        """Names of a video's tracks."""
        return [track.track for track in self._tracks_of[video]]

    def folder_of(self, stage: str, video: str) -> str:
        """The folder of a stage that holds a video's file, and those of its tracks."""
        return f"results/{stage}/{self._batch_of[video]}"

    def videos_of(self, batch: str) -> list[str]:
        """Names of a batch's videos."""
        return self._batches[batch]

    def paths_of(self, batch: str) -> list[str]:
        """Files of a batch's videos."""
        return [self._path_of[video] for video in self._batches[batch]]

    def tracks_of(self, batch: str) -> dict[str, str]:
        """Each track of a batch's videos, and its video."""
        return {track.track: video for video in self._batches[batch] for track in self._tracks_of[video]}

    def persons_of(self, batch: str) -> list[dict]:
        """Each track of a batch's videos, its video, who it is about, and its overrides in their table's order."""
        return [
            {
                "track": track,
                "video": video,
                "person": self._by_name[track].person,
                "overrides": self._overrides.get(track, []),
            }
            for track, video in self.tracks_of(batch).items()
        ]

    def folders(self, stage: str, tracks: Iterable[str]) -> list[str]:
        """A stage's folders that hold the files of some tracks, or of their videos."""
        batches = {self._batch_of[self._by_name[track].video] for track in tracks}
        return [f"results/{stage}/{batch}" for batch in sorted(batches)]

    def rows_in(self, split: str) -> list[dict[str, str]]:
        """Tracks of a split with what training and prediction need of them."""
        names = ("track", "video", "split", "annotation", "label", "group")
        return [{name: getattr(track, name) for name in names} for track in self.tracks if track.split == split]

    def tracks_in(self, split: str) -> list[str]:
        """Names of a split's tracks."""
        return [track.track for track in self.tracks if track.split == split]

    def shard(self, shard: str) -> list[str]:
        """Names of a shard's tracks."""
        return self._shards[shard]

    def shard_videos(self, shard: str) -> list[str]:
        """The video of each track of a shard, in the tracks' order."""
        return [self._by_name[track].video for track in self._shards[shard]]

    def shard_files(self, modality: str, suffix: str, splits: Iterable[str]) -> list[str]:
        """Feature files of all shards of some splits."""
        wanted = tuple(f"{split}-" for split in splits)
        return [
            f"results/features/{modality}/{shard}.{suffix}"
            for shard in sorted(self._shards)
            if shard.startswith(wanted)
        ]


def read_corpus(config: dict) -> Corpus:
    """The corpus that the configuration names; raises InputError for what is missing or ambiguous."""
    corpus, problems = scan_corpus(config)
    raise_first(problems)
    return corpus


def scan_corpus(config: dict) -> tuple[Corpus, list[Problem]]:
    """The corpus as far as it is there, and all that is missing or ambiguous."""
    problems: list[Problem] = []
    corpus = _corpus(config, [], None)
    with collecting(problems):
        corpus, found = _corpus_of_layout(config)
        problems += found
    overrides = config["subject"]["overrides"]
    if overrides and corpus.tracks:
        with collecting(problems, file=overrides):
            corpus.read_overrides(Path(overrides))
    return corpus, problems


def predicted_split(config: dict) -> str:
    """The split of the videos that are only predicted; it begins the names of their batches and shards."""
    return f"predict-{folder_name(Path(config['predict_videos']))}"


def _corpus_of_layout(config: dict) -> tuple[Corpus, list[Problem]]:
    settings = config["corpus"]
    if config["predict_videos"]:
        split = predicted_split(config)
        tracks = scan_folder(Path(config["predict_videos"]), split, config["predict_persons"])
        sizes = config["features"]["num_shards"], settings["videos_per_batch"]
        return Corpus(tracks, None, *sizes, prefix=f"{split}-"), []
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
    return Corpus(tracks, template, *sizes, template_is_outdated=template_is_outdated)


def _demo_corpus(config: dict) -> tuple[Corpus, list[Problem]]:
    """The planned corpus with what a user added to its folder, without what another plan left there."""
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
            f"corpus.{key} is not set, and corpus.layout {settings['layout']} reads it (docs/corpora.md)", "set it"
        )
    if not Path(settings[key]).exists():
        remedy = "write your home folder in full instead of ~" if settings[key].startswith("~") else "correct it"
        raise InputError(
            f"corpus.{key}: {settings[key]} does not exist",
            f"{remedy}, since corpus.layout {settings['layout']} reads it (docs/corpora.md)",
        )
    return Path(settings[key])
