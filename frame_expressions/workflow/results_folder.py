"""Whether a run may write into the results folder: it must be writable and hold no results of another corpus.

Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from frame_expressions.corpora.tracks import read_tracks
from frame_expressions.runtime.errors import InputError


def check_results(results: Path, videos: Iterable[str]) -> None:
    """Raise InputError if `results` is not writable, or was made from none of these video files.

    A run on another corpus, for example after a forgotten --configfile, would replace days of work. Results without
    corpus/tracks.tsv cannot be checked. Videos inside `results` are the demonstration's, whose results may be replaced.
    """
    if results.exists() and not os.access(results, os.W_OK):
        raise InputError(f"{results} is not writable", "fix its permissions, or make it a link to a writable folder")
    table = results / "corpus/tracks.tsv"
    if not table.is_file():
        return
    known, asked = ({Path(path).resolve() for path in paths} for paths in (_videos_of(table), videos))
    known = {path for path in known if not path.is_relative_to(results.resolve())}
    if known and asked and not known & asked:
        raise InputError(
            (
                f"{results} holds another corpus's results, which this run would replace: {table} names none of this "
                f"run's {len(asked)} videos"
            ),
            "add the --configfile that it was made with, work in another clone, or move it away",
        )


def _videos_of(table: Path) -> list[str]:
    return [track.path for track in read_tracks(table)]
