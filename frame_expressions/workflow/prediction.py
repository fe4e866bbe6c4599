"""What `predict` works on: the videos of a folder, and where the results of each one are.

Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

from frame_expressions.artifacts.text import read_json, write_json
from frame_expressions.corpora.folder import FolderListing, folder_name, list_videos, video_names
from frame_expressions.runtime.errors import InputError
from frame_expressions.workflow.batches import divide_into_batches

PREDICTIONS = Path("results/predict")
PLAN = "plan.json"


@dataclass(frozen=True)
class Place:
    """The name of a video in its results, and the numbers of the batch and of the shard that it is in."""

    name: str
    batch: int
    shard: int


@dataclass(frozen=True)
class Prediction:
    """The videos of one run of `predict`.

    name: of the folder of results. folder: of the videos, or one file. model: a digest of the exported model. listing:
    the files of the folder. places: by path, the place of each video that is, or once was, in the folder.
    """

    name: str
    folder: Path
    model: str
    listing: FolderListing
    places: dict[str, Place]

    @property
    def split(self) -> str:
        """The split of the videos; the names of their batches and shards begin with it."""
        return f"predict-{self.name}"

    @property
    def names(self) -> dict[str, str]:
        """The name of each video that is in the folder, by its path."""
        return {path: self.places[path].name for path in self.listing.videos}

    @property
    def kept(self) -> dict[str, str]:
        """The file of each video that is no longer in the folder but whose results still are, by its name."""
        return {
            place.name: str(self.folder / path)
            for path, place in self.places.items()
            if path not in self.listing.videos and (self.results / f"{place.name}.parquet").is_file()
        }

    @property
    def results(self) -> Path:
        """The folder of results."""
        return PREDICTIONS / self.name

    @classmethod
    def of(cls, config: dict) -> "Prediction":
        """The prediction that a configuration asks for.

        The videos that are new since the last run get batches and shards of their own, so a new video costs no more
        than itself: no job that reads other videos runs again.
        """
        folder = _plain_path(config["predict_videos"])
        name = config["predict_name"] or folder_name(folder)
        listing = list_videos(folder)
        known = {path: Place(**place) for path, place in _stored(PREDICTIONS / name / PLAN)["videos"].items()}
        names = video_names(listing.videos, {path: place.name for path, place in known.items()})
        new = {names[path]: path for path in listing.videos if path not in known}
        batches = divide_into_batches({video: {""} for video in new}, config["corpus"]["videos_per_batch"])
        first_batch = 1 + max((place.batch for place in known.values()), default=-1)
        first_shard = 1 + max((place.shard for place in known.values()), default=-1)
        for number, videos in enumerate(batches.values()):
            shard = first_shard + number % config["features"]["num_shards"]
            known |= {new[video]: Place(video, first_batch + number, shard) for video in videos}
        model = hashlib.sha256(Path(config["predict_model"], "config.json").read_bytes()).hexdigest()[:16]
        return cls(name, folder, model, listing, known)

    def check(self) -> None:
        """Raise InputError if the folder of results belongs to another folder of videos.

        It also does so if results of another model would stay there, since this run does not replace them.
        """
        stored = _stored(self.results / PLAN)
        other = Path(stored["folder"] or self.folder)
        if other != self.folder and other.exists():
            raise InputError(
                f"{self.results} holds the predictions of {other}, not of {self.folder}",
                "add --config predict_name=NAME to give these predictions a folder of their own",
            )
        if stored["model"] not in (None, self.model):
            kept = sorted({path.stem for path in self.results.glob("*.parquet")} - set(self.names.values()))
            if kept:
                raise InputError(
                    f"{self.results} holds predictions by another model of videos that are no longer in {self.folder}: "
                    f"{kept[0]}{', ...' if len(kept) > 1 else ''}",
                    "add --config predict_name=NAME to give the new model's predictions a folder of their own",
                )

    def save(self) -> None:
        """Record what the folder of results belongs to, and where each video's results are.

        The list of videos goes if another model made it: until all are predicted anew, it would mix both.
        """
        plan = self.results / PLAN
        if _stored(plan)["model"] not in (None, self.model):
            (self.results / "videos.tsv").unlink(missing_ok=True)
        videos = {path: asdict(place) for path, place in self.places.items()}
        content = {"folder": str(self.folder), "model": self.model, "videos": videos}
        if content != _stored(plan):
            write_json(content, plan)


def _plain_path(given: str) -> Path:
    """A folder relative to the working folder if it is in it, else in full: the same for every way to write it."""
    path = Path(given).resolve()
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _stored(plan: Path) -> dict:
    empty = {"folder": None, "model": None, "videos": {}}
    if not plan.exists():
        return empty
    stored = read_json(plan)
    fields = set(Place.__dataclass_fields__)
    if set(stored) != set(empty) or any(set(place) != fields for place in stored["videos"].values()):
        raise InputError(f"{plan} is not a plan of predictions", "delete it and run the workflow again")
    return stored
