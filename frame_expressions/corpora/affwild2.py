"""The layout `affwild2`: the organisers' original folders, found at any depth below one root.

Videos are in batch1, batch2, batch3 or new_vids; annotations in EXPR_Recognition_Challenge (older editions:
EXPR_Classification_Challenge) under Train_Set and Validation_Set, one text file per track; the test tracks are
those of the template, or of the list of test videos if there is no template. Case, spaces, dashes and underscores
in the names of folders do not matter; those in the names of tracks and videos do.
"""

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from frame_expressions.artifacts.vocabulary import SPLITS
from frame_expressions.challenge.templates import template_tracks
from frame_expressions.corpora.file_listing import files_below
from frame_expressions.corpora.problems import ERROR, Problem, collecting, without_clashes
from frame_expressions.corpora.tracks import Track, person_by_suffix
from frame_expressions.runtime.errors import InputError

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".flv")
# Names of folders and lists are compared in lower case, letters and digits only.
_CHALLENGE = re.compile(r"expr(ession)?(recognition|classification)challenge")
_SPLIT_OF_FOLDER = {
    "trainset": "train",
    "trainingset": "train",
    "validationset": "validation",
    "valset": "validation",
    "testset": "test",
}
_TEMPLATE = re.compile(r".*abawexprtestset(sample|example)s?")
_TEST_LIST = re.compile(r"expr(ession)?(recognition|classification)challengetestsetrelease")
_PERSON_SUFFIX = re.compile(r"(.+)_(left|right)")


def scan_affwild2(
    root: Path,
    template: Path | None = None,
    planned: Iterable[Path] = (),
    planned_test_tracks: Sequence[str] = (),
    gone: Iterable[Path] = (),
) -> tuple[list[Track], Path | None, list[Problem]]:
    """Tracks below `root` by split and then by name, the template, and everything missing, duplicate or ambiguous.

    template: the test template; None searches for it below `root`. planned: files (absolute or relative to `root`)
    that the workflow makes itself; they count as existing. planned_test_tracks: test tracks while the template is
    among the planned files; it is then not read. gone: files relative to `root` that are about to be removed; they
    count as missing. A track with a fault is left out of the tracks.
    """
    root = Path(root)
    left_out = set(gone)
    files = [file for file in _files_below(root, planned) if file not in left_out]
    if not files:
        remedy = f"set corpus.root to {_unpacked_above(root) or 'the folder into which Aff-Wild2 was unpacked'}"
        return [], template, [Problem(ERROR, f"{root} contains no files", remedy, file=str(root))]
    videos, annotations = defaultdict(list), defaultdict(list)
    for file in files:
        if _is_video(file):
            videos[file.stem].append(file)
        elif (split := _split_of(file)) in ("train", "validation"):
            annotations[file.stem].append((file, split))
    tracks, problems = [], []
    if not annotations:
        what = f"{root} holds no annotations (EXPR_Recognition_Challenge/Train_Set/<track>.txt)"
        remedy = "unpack the organisers' annotations below this folder, or correct corpus.root"
        if above := _unpacked_above(root):
            remedy = f"set corpus.root to {above}, which holds some"
        problems.append(Problem(ERROR, what, remedy, file=str(root)))
    for name, found in annotations.items():
        file, split = found[0]
        with collecting(problems, track=name, file=str(root / file)):
            if len(found) > 1:
                raise InputError(
                    f"Track {name} is annotated twice, in {root / file} and {root / found[1][0]}",
                    f"keep one edition's annotations below corpus.root, {root}",
                )
            tracks.append(_track(root, videos, name, split, annotation=str(root / file)))
    test_tracks = list(planned_test_tracks)
    if not test_tracks:
        with collecting(problems, file=str(template or root)):
            template = template or _find_template(root, files)
            test_tracks = list(template_tracks(template)) if template else _listed_tracks(root, files)
    for name in test_tracks:
        with collecting(problems, track=name):
            if name in annotations:
                raise InputError(
                    f"Track {name} is both annotated ({root / annotations[name][0][0]}) and in the test set",
                    "remove it from one of the two",
                )
            tracks.append(_track(root, videos, name, "test", annotation=""))
    tracks.sort(key=lambda track: (SPLITS.index(track.split), track.track))
    tracks, clashes = without_clashes(tracks)
    return tracks, template, problems + clashes


def _unpacked_above(root: Path) -> Path | None:
    """The nearest of three folders above `root` that has annotations and videos at most two levels below it, or None.

    There is one if `root` is too deep.
    """
    for folder in list(root.absolute().parents)[:3]:
        found = [*folder.glob("*"), *folder.glob("*/*")]
        if any(_CHALLENGE.fullmatch(_plain(path.name)) for path in found) and any(map(_is_video, found)):
            return folder
    return None


def _is_video(file: Path) -> bool:
    return file.suffix.lower() in VIDEO_SUFFIXES


def _files_below(root: Path, planned: Iterable[Path]) -> list[Path]:
    """Files below `root`, on disk or planned, relative to it, sorted; without cropped images and hidden files."""
    root = Path(root)
    return sorted({*(_relative(root, Path(path)) for path in planned), *files_below(root, _is_of_crops)})


def _relative(root: Path, path: Path) -> Path:
    if path.is_relative_to(root):
        return path.relative_to(root)
    return path.relative_to(root.absolute()) if path.is_absolute() else path


def _is_of_crops(folder: Path) -> bool:
    return folder.name.lower().startswith("cropped")  # the organisers' crops: millions of files


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.lower())


def _split_of(file: Path) -> str | None:
    """Split of an annotation file by the folders above it, at any nesting; None for other files."""
    folders = [_plain(part) for part in file.parts[:-1]]
    if file.suffix.lower() != ".txt" or not any(_CHALLENGE.fullmatch(folder) for folder in folders):
        return None
    return next((_SPLIT_OF_FOLDER[folder] for folder in folders if folder in _SPLIT_OF_FOLDER), None)


def _track(root: Path, videos: dict[str, list[Path]], name: str, split: str, annotation: str) -> Track:
    """The track with its video: the file of exactly its name, else of its name without `_left` or `_right`."""
    video = name
    suffixed = _PERSON_SUFFIX.fullmatch(name)
    if name not in videos and suffixed:
        video = suffixed[1]
    found = videos.get(video, [])
    if not found:
        raise InputError(
            (
                f"Track {name} ({split}) has no video: no file {video} ({', '.join(VIDEO_SUFFIXES)}) exists below "
                f"{root}{_near_miss(video, videos)}"
            ),
            "put the video there or remove the track",
        )
    if len(found) > 1:
        raise InputError(
            f"Track {name} has two videos, {root / found[0]} and {root / found[1]}", f"keep one of them below {root}"
        )
    return Track(
        track=name,
        video=video,
        path=str(root / found[0]),
        split=split,
        person=person_by_suffix(name, video),
        annotation=annotation,
        label="",
        group=video,
    )


def _near_miss(video: str, videos: dict[str, list[Path]]) -> str:
    near = [stem for stem in sorted(videos) if stem.startswith(video)] or difflib.get_close_matches(video, videos)
    return f" (the nearest name, {videos[near[0]][0]}, is another video)" if near else ""


def _listed_tracks(root: Path, files: list[Path]) -> list[str]:
    """Tracks of the list of test videos."""
    lists = [file for file in files if file.suffix.lower() == ".txt" and _TEST_LIST.fullmatch(_plain(file.stem))]
    test_list = _the_only(root, lists, "lists of test videos", "keep one")
    if not test_list:
        raise InputError(
            f"{root} holds no test template (ABAW_Expr_test_set_sample.txt or similar) and no list of test videos",
            "unpack the organisers' test set lists below it, or set corpus.template",
        )
    try:
        lines = test_list.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The list of test videos {test_list} cannot be read ({error})", "fetch it again") from error
    return [line.strip() for line in lines if line.strip()]


def _find_template(root: Path, files: list[Path]) -> Path | None:
    """The organisers' template among the files below `root`; None if there is none.

    It is one file or, as in editions 1 to 4, a folder Test_Set next to Train_Set with one file per track.
    Raises InputError if there are several, since their rows may differ.
    """
    found = [file for file in files if file.suffix.lower() == ".txt" and _TEMPLATE.fullmatch(_plain(file.stem))]
    found += sorted({file.parent for file in files if _split_of(file) == "test"})
    return _the_only(root, found, "test templates", "set corpus.template to one of them")


def _the_only(root: Path, found: list[Path], what: str, remedy: str) -> Path | None:
    if len(found) > 1:
        raise InputError(f"{root} holds several {what}, {found[0]} and {found[1]}", remedy)
    return root / found[0] if found else None
