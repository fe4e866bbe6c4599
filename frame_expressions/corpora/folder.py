"""A folder of videos to predict, without a table or labels.

Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

from pathlib import Path

from frame_expressions.artifacts.file_names import name_hash, plain_name
from frame_expressions.corpora.affwild2 import VIDEO_SUFFIXES
from frame_expressions.corpora.file_listing import files_below
from frame_expressions.corpora.tracks import Track, check_tracks
from frame_expressions.runtime.errors import InputError

SUFFIXES = (
    *VIDEO_SUFFIXES,
    *(".m4v", ".qt", ".3gp", ".3g2", ".f4v", ".insv", ".lrv"),  # MP4 and QuickTime
    *(".mpg", ".mpeg", ".mpe", ".m1v", ".m2v", ".vob", ".mod", ".tod"),  # MPEG program streams
    *(".ts", ".mts", ".m2ts", ".m2t", ".trp"),  # MPEG transport streams
    *(
        ".wmv",
        ".asf",
        ".wtv",
        ".divx",
        ".xvid",
        ".ogv",
        ".ogm",
        ".mxf",
        ".dv",
        ".rm",
        ".rmvb",
        ".nut",
        ".mjpg",
        ".mjpeg",
    ),
    *(".h264", ".264", ".h265", ".265", ".hevc", ".ivf", ".obu", ".mjpg", ".mjpeg"),  # streams without a container
)
RESULTS = Path("results")
MOST_PERSONS = 8
"""The largest number of persons followed in a video. A track whose person never appears costs next to nothing."""
_LONGEST_VIDEO, _LONGEST_FOLDER = 90, 50  # characters: the names of a prediction's batches contain both


def scan_folder(folder: Path, split: str, persons: str) -> list[Track]:
    """The tracks of every video in a folder, at any depth, or of one video file.

    Links are followed. Hidden folders are skipped, and so is the folder of results, which has overlay videos.
    persons: `main` follows one person in each video, `all` up to MOST_PERSONS, ranked by presence.
    Raises InputError if there are no videos, and for a path that Snakemake cannot handle.
    """
    folder = Path(folder)
    if folder.is_file():
        files = [folder]
    else:
        files = [folder / path for path in files_below(folder, _is_results) if path.suffix.lower() in SUFFIXES]
    if not files:
        what = f"holds no video ({', '.join(SUFFIXES)})" if folder.is_dir() else "does not exist"
        raise InputError(f"predict_videos: {folder} {what}", "name a folder of videos, or one video file")
    names = _names([str(path.relative_to(folder) if path != folder else path.name) for path in files])
    tracks = [
        Track(track, video, str(path), split, person, annotation="", label="", group=video)
        for path, video in zip(files, names, strict=True)
        for track, person in _tracks(video, persons)
    ]
    check_tracks(tracks)
    return tracks


def folder_name(folder: Path) -> str:
    """The name of the results folder for the predictions of a folder or file."""
    return plain_name(folder.resolve().stem if folder.is_file() else folder.resolve().name, _LONGEST_FOLDER)


def _is_results(folder: Path) -> bool:
    return folder.resolve() == RESULTS.resolve()


def _tracks(video: str, persons: str) -> list[tuple[str, str]]:
    if persons == "main":
        return [(video, "auto")]
    return [(f"{video}.person{place}", f"person@{place}") for place in range(1, MOST_PERSONS + 1)]


def _names(paths: list[str]) -> list[str]:
    """A file name for each path; a path that shares its plain name with another gets a hash of the path appended."""
    plain = [plain_name(str(Path(path).with_suffix("")).replace("/", "-"), _LONGEST_VIDEO) for path in paths]
    lowered = [name.lower() for name in plain]  # some file systems ignore case
    return [
        name if lowered.count(name.lower()) == 1 else f"{name}-{name_hash(path)}"
        for name, path in zip(plain, paths, strict=True)
    ]
