"""Checks of a corpus that do not open its videos."""

from collections.abc import Sequence
from pathlib import Path

from frame_expressions.challenge.annotations import read_annotation
from frame_expressions.challenge.templates import read_template
from frame_expressions.corpora.problems import ERROR, WARNING, Problem, collecting, raise_first
from frame_expressions.corpora.tracks import Track


def check_corpus(tracks: Sequence[Track], template: Path | None, on_bad_video: str) -> None:
    """Raise InputError for the first error that `problems_of_files` finds; takes 2 s for Aff-Wild2."""
    raise_first(problems_of_files(tracks, template, on_bad_video))


def problems_of_files(tracks: Sequence[Track], template: Path | None, on_bad_video: str) -> list[Problem]:
    """Read every annotation and the whole template, and check every video's size.

    Files that do not exist are skipped, because the workflow may make them. An empty video is an error if
    `on_bad_video` is `stop`, else a warning.
    """
    problems: list[Problem] = []
    for track in tracks:
        if track.annotation and Path(track.annotation).exists():
            with collecting(problems, track=track.track, file=track.annotation):
                read_annotation(Path(track.annotation))
    for path in sorted({track.path for track in tracks}):
        if Path(path).is_file() and Path(path).stat().st_size == 0:
            remedy = "fetch it again, or set execution.on_bad_video to skip"
            severity = ERROR if on_bad_video == "stop" else WARNING
            problems.append(Problem(severity, f"The video {path} is empty", remedy, file=path))
    if template and template.exists():
        asked = {}
        with collecting(problems, file=str(template)):
            asked = dict.fromkeys(track for track, _ in read_template(template))
        known = {track.track for track in tracks if track.split == "test"}
        for name in asked:
            if name not in known:
                what = f"The template {template} asks for {name}, which is not a test track of the corpus"
                remedy = "add its video as a test track or use the template that belongs to this corpus"
                problems.append(Problem(ERROR, what, remedy, track=name, file=str(template)))
    return problems
