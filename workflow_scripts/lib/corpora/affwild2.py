"""The `affwild2` layout: the organisers' folders as they come, found at any depth below one root.

Videos lie in batch1, batch2, batch3 or new_vids; annotations in EXPR_Recognition_Challenge (older editions:
EXPR_Classification_Challenge) under Train_Set and Validation_Set, one text file per track; the test tracks are
those of the template, or of the list of test videos where there is no template.
"""

import difflib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from workflow_scripts.lib.challenge.templates import template_tracks
from workflow_scripts.lib.corpora.tracks import SPLITS, Track, check_tracks
from workflow_scripts.lib.errors import InputError

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".flv")
_CHALLENGES = ("expr_recognition_challenge", "expr_classification_challenge")
_SPLIT_OF_FOLDER = {"train_set": "train", "validation_set": "validation"}
_TEMPLATE = re.compile(r"(.*_)?ABAW_Expr_test_set_(sample|examples?)\.txt", re.IGNORECASE)
_TEST_LIST = "expression_recognition_challenge_test_set_release.txt"
_PERSON_SUFFIX = re.compile(r"(.+)_(left|right)")


def find_template(root: Path, planned: Iterable[Path] = ()) -> Path | None:
    """The organisers' template below `root`, on disk or planned; None when there is none.

    Raises InputError when there are several, since their rows may differ.
    """
    return _find_template(root, _files_below(root, planned))


def index_affwild2(
    root: Path,
    template: Path | None = None,
    planned: Iterable[Path] = (),
    planned_test_tracks: Sequence[str] = (),
    gone: Iterable[Path] = (),
) -> list[Track]:
    """Tracks of Aff-Wild2 below `root`, by split and then by name.

    template: the test template when it is not to be looked for below `root`. planned: files (absolute or
    relative to `root`) that the workflow makes itself, taken as if they were on disk. planned_test_tracks: test
    tracks while the template is among the planned files; it is then not read. gone: files relative to `root` that
    are about to be removed, taken as if they were not there. Raises InputError that names what
    is missing, doubled or ambiguous.
    """
    root = Path(root)
    left_out = set(gone)
    files = [file for file in _files_below(root, planned) if file not in left_out]
    if not files:
        raise InputError(f"{root} holds no files; give the folder into which Aff-Wild2 was unpacked.")
    videos, annotations = defaultdict(list), defaultdict(list)
    for file in files:
        if file.suffix.lower() in VIDEO_SUFFIXES:
            videos[file.stem].append(file)
        elif split := _annotated_split(file):
            annotations[file.stem].append((file, split))
    if not annotations:
        raise InputError(
            f"{root} holds no annotations (EXPR_Recognition_Challenge/Train_Set/<track>.txt); "
            "unpack the organisers' annotations below this folder."
        )
    tracks = []
    for name, found in annotations.items():
        if len(found) > 1:
            raise InputError(
                f"Track {name} is annotated twice, in {root / found[0][0]} and {root / found[1][0]}; "
                "keep one edition's annotations below this folder."
            )
        file, split = found[0]
        tracks.append(_track(root, videos, name, split, annotation=str(root / file)))
    for name in planned_test_tracks or _test_tracks(root, files, template):
        if name in annotations:
            raise InputError(
                f"Track {name} is both annotated ({root / annotations[name][0][0]}) and in the test set; "
                "remove it from one of the two."
            )
        tracks.append(_track(root, videos, name, "test", annotation=""))
    tracks.sort(key=lambda track: (SPLITS.index(track.split), track.track))
    check_tracks(tracks)
    return tracks


def _files_below(root: Path, planned: Iterable[Path]) -> list[Path]:
    """Files below `root`, on disk or planned, relative to it, sorted; without cropped images and hidden files."""
    root = Path(root)
    files = {_relative(root, Path(path)) for path in planned}
    visited = set()
    # Batches are often links to another disk; `visited` keeps a link to a parent from being walked for ever.
    for folder, subfolders, names in os.walk(root, followlinks=True):
        real = Path(folder).resolve()
        if real in visited:
            subfolders.clear()
            continue
        visited.add(real)
        subfolders[:] = sorted(name for name in subfolders if not _left_out(name))
        files.update(Path(folder).relative_to(root) / name for name in names if not name.startswith("."))
    return sorted(files)


def _relative(root: Path, path: Path) -> Path:
    if path.is_relative_to(root):
        return path.relative_to(root)
    return path.relative_to(root.absolute()) if path.is_absolute() else path


def _left_out(folder: str) -> bool:
    # The organisers' cropped faces are millions of files, and archives packed on a Mac hold shadow files.
    return folder.lower().startswith("cropped") or folder.startswith(".") or folder == "__MACOSX"


def _annotated_split(file: Path) -> str | None:
    """Split of an annotation file by the folders above it, whatever their nesting; None for other files."""
    folders = [part.lower() for part in file.parts[:-1]]
    if file.suffix.lower() != ".txt" or not any(challenge in folders for challenge in _CHALLENGES):
        return None
    return next((_SPLIT_OF_FOLDER[folder] for folder in folders if folder in _SPLIT_OF_FOLDER), None)


def _track(root: Path, videos: dict[str, list[Path]], name: str, split: str, annotation: str) -> Track:
    """The track with its video: the file of exactly its name, else of its name without `_left` or `_right`."""
    video, person = name, "auto"
    suffixed = _PERSON_SUFFIX.fullmatch(name)
    if name not in videos and suffixed:
        video, person = suffixed.groups()
    found = videos.get(video, [])
    if not found:
        raise InputError(
            f"Track {name} ({split}) has no video: no file {video} ({', '.join(VIDEO_SUFFIXES)}) lies below "
            f"{root}{_near_miss(video, videos)}; put the video there or remove the track."
        )
    if len(found) > 1:
        raise InputError(
            f"Track {name} has two videos, {root / found[0]} and {root / found[1]}; keep one of them below {root}."
        )
    return Track(
        track=name,
        video=video,
        path=str(root / found[0]),
        split=split,
        person=person,
        annotation=annotation,
        label="",
        group=video,
    )


def _near_miss(video: str, videos: dict[str, list[Path]]) -> str:
    near = [stem for stem in sorted(videos) if stem.startswith(video)] or difflib.get_close_matches(video, videos)
    return f" (the nearest name, {videos[near[0]][0]}, is another video)" if near else ""


def _test_tracks(root: Path, files: list[Path], template: Path | None) -> list[str]:
    template = template or _find_template(root, files)
    if template:
        return list(template_tracks(template))
    test_list = _the_only(root, [file for file in files if file.name.lower() == _TEST_LIST], "lists of test videos")
    if not test_list:
        return []
    lines = test_list.read_text(encoding="utf-8-sig").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _find_template(root: Path, files: list[Path]) -> Path | None:
    return _the_only(root, [file for file in files if _TEMPLATE.fullmatch(file.name)], "test templates")


def _the_only(root: Path, found: list[Path], what: str) -> Path | None:
    if len(found) > 1:
        raise InputError(
            f"{root} holds several {what}, {found[0]} and {found[1]}; name one in the configuration or keep one."
        )
    return root / found[0] if found else None
