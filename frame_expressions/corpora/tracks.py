"""Tracks: one annotated person in one video, the unit of every corpus.

Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from frame_expressions.artifacts.file_names import LONGEST_NAME, is_name, path_fault
from frame_expressions.artifacts.text import read_tsv, write_tsv
from frame_expressions.runtime.errors import InputError


@dataclass(frozen=True)
class Track:
    """One person in one video; every field is text, as in `corpus/tracks.tsv`.

    track, video: names that become file names. path: the video file. split: one of SPLITS. person: as in
    `faces.person_spec`. annotation: file with one class number per frame, or empty. label: class name of the whole
    clip, or empty. group: tracks of one group are always on the same side of a fold.
    """

    track: str
    video: str
    path: str
    split: str
    person: str
    annotation: str
    label: str
    group: str


COLUMNS = tuple(field.name for field in fields(Track))


def person_by_suffix(track: str, video: str) -> str:
    """`left` or `right` for the track `<video>_left` or `<video>_right`, else `auto`."""
    return {f"{video}_left": "left", f"{video}_right": "right"}.get(track, "auto")


def check_tracks(tracks: Iterable[Track]) -> None:
    """Raise InputError for a name that cannot be a file name, a path that Snakemake would misread, a duplicate track
    name, or a video name with several files, or a file with several video names.
    """
    seen: set[str] = set()
    path_of: dict[str, str] = {}
    video_of: dict[str, str] = {}
    for track in tracks:
        for kind, name in (("track", track.track), ("video", track.video)):
            if not is_name(name):
                raise InputError(
                    f"The {kind} name {name!r} ({track.path!r}) may hold only letters, digits, '.', '_' and '-', "
                    f"at most {LONGEST_NAME}, and begin with a letter or digit",
                    "rename the file, or give it a name in the table layout",
                )
        for path in (track.path, track.annotation):
            if fault := path_fault(path):
                raise InputError(f"{path!r} {fault}", "rename the file or folder")
        if track.track in seen:
            raise InputError(f"The track {track.track} ({track.path}) is listed twice", "keep one of the two")
        seen.add(track.track)
        other_path = path_of.setdefault(track.video, track.path)
        if other_path != track.path:
            raise InputError(
                f"Two files are named {track.video}: {other_path} and {track.path}",
                "rename or remove one, or give them names in the table layout",
            )
        other_video = video_of.setdefault(track.path, track.video)
        if other_video != track.video:
            raise InputError(
                f"{track.path} is called both {other_video} and {track.video}",
                "give one video name to one file, so that its tracks stay together in every fold",
            )


def read_tracks(tsv: Path) -> list[Track]:
    """Read `corpus/tracks.tsv`; raises InputError if it is damaged or is not such a table."""
    return [Track(**row) for row in read_tsv(tsv, COLUMNS, "delete it and run index_corpus again")]


def write_tracks(tracks: Iterable[Track], tsv: Path) -> None:
    """Write `corpus/tracks.tsv`, one row per track in the order given."""
    write_tsv(COLUMNS, map(astuple, tracks), tsv)
