"""A folder of videos to predict, without a table or labels.

Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from frame_expressions.artifacts.file_names import name_hash, path_fault, plain_name
from frame_expressions.corpora.affwild2 import VIDEO_SUFFIXES
from frame_expressions.corpora.file_listing import files_below
from frame_expressions.corpora.tracks import Track, check_tracks
from frame_expressions.runtime.errors import InputError

SUFFIXES = (
    *VIDEO_SUFFIXES,
    *(".m4v", ".qt", ".3gp", ".3g2", ".f4v", ".insv", ".lrv"),  # MP4 and QuickTime
    *(".mpg", ".mpeg", ".mpe", ".m1v", ".m2v", ".vob", ".mod", ".tod"),  # MPEG program streams
    *(".ts", ".mts", ".m2ts", ".m2t", ".trp"),  # MPEG transport streams
    *(".wmv", ".asf", ".wtv", ".divx", ".xvid", ".ogv", ".ogm", ".mxf", ".dv", ".rm", ".rmvb", ".nut"),
    *(".mjpg", ".mjpeg", ".h264", ".264", ".h265", ".265", ".hevc", ".ivf", ".obu"),  # streams without a container
)
RESULTS = Path("results")
MOST_PERSONS = 8
"""The number of persons that `all` follows in a video. A track whose person never appears costs next to nothing."""
_LONGEST_VIDEO, _LONGEST_FOLDER = 90, 50  # characters: the names of a prediction's batches contain both


@dataclass(frozen=True)
class FolderListing:
    """The files of a folder of videos.

    videos: paths relative to the folder, sorted. refused: by path as text, why Snakemake cannot use it. passed_over: by
    suffix, the number of other files.
    """

    videos: tuple[str, ...]
    refused: dict[str, str]
    passed_over: dict[str, int]


def list_videos(folder: Path) -> FolderListing:
    """List every video in a folder, at any depth, or one video file.

    Links are followed. Hidden folders are skipped, and so is the folder of results, which has overlay videos.
    Raises InputError if the folder has no video that Snakemake can use.
    """
    folder = Path(folder)
    files = [Path(folder.name)] if folder.is_file() else files_below(folder, _is_results)
    is_video = {path: folder.is_file() or path.suffix.lower() in SUFFIXES for path in files}
    faults = {path: _fault(_file(folder, str(path))) for path in files if is_video[path]}
    videos = tuple(str(path) for path, fault in faults.items() if fault is None)
    if not faults:
        what = "holds no file with a suffix of videos (.mp4, .mov, ...)" if folder.is_dir() else "does not exist"
        raise InputError(f"predict_videos: {folder} {what}", "name a folder of videos, or one video file")
    refused = {_as_text(_file(folder, str(path))): fault for path, fault in faults.items() if fault is not None}
    if not videos:
        path, reason = next(iter(refused.items()))
        raise InputError(f"predict_videos: {path!r} cannot be used, because {reason}", "rename or replace it")
    others = Counter(path.suffix.lower() or "without a suffix" for path in files if not is_video[path])
    return FolderListing(videos, refused, dict(others.most_common()))


def folder_tracks(folder: Path, names: Mapping[str, str], split: str, persons: str | int) -> list[Track]:
    """The tracks of the videos of a folder; names: of each video, by its path relative to the folder.

    persons: `main` follows one person in each video, `all` up to MOST_PERSONS, and a number up to that many, ranked by
    presence.
    """
    tracks = [
        Track(track, video, str(_file(folder, path)), split, person, annotation="", label="", group=video)
        for path, video in names.items()
        for track, person in _tracks(video, persons)
    ]
    check_tracks(tracks)
    return tracks


def folder_name(folder: Path) -> str:
    """The name of the results folder for the predictions of a folder or file."""
    return plain_name(folder.resolve().stem if folder.is_file() else folder.resolve().name, _LONGEST_FOLDER)


def video_names(paths: Iterable[str], known: Mapping[str, str]) -> dict[str, str]:
    """The names of videos in their results, by path.

    A name is the path without its suffix, with '-' for '/' and '_' for every character that is not a letter, a digit or
    one of '._-'. A path whose name another has, or had, gets a hash of the path appended. known: names given before;
    they stay.
    """
    paths = list(paths)
    plain = {path: plain_name(str(Path(path).with_suffix("")).replace("/", "-"), _LONGEST_VIDEO) for path in paths}
    # Some file systems ignore case.
    taken = Counter(plain[path].lower() for path in paths if path not in known)
    taken.update(name.lower() for name in known.values())
    new = {
        path: name if taken[name.lower()] == 1 else f"{name}-{name_hash(path)}"
        for path, name in plain.items()
        if path not in known
    }
    return {path: known.get(path) or new[path] for path in paths}


def _file(folder: Path, path: str) -> Path:
    return folder if folder.is_file() else folder / path


def _fault(file: Path) -> str | None:
    """Why a file cannot be an input of Snakemake; None for a usable one."""
    if not file.exists():
        return "it is a link to a file that does not exist"
    fault = path_fault(str(file))
    return None if fault is None else f"it {fault}"


def _as_text(path: Path) -> str:
    """A path that can be printed and stored, whatever its bytes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(path))


def _is_results(folder: Path) -> bool:
    return folder.resolve() == RESULTS.resolve()


def _tracks(video: str, persons: str | int) -> list[tuple[str, str]]:
    if persons == "main":
        return [(video, "auto")]
    most = MOST_PERSONS if persons == "all" else persons
    return [(f"{video}.person{place}", f"person@{place}") for place in range(1, most + 1)]
