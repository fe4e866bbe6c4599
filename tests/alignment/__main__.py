"""Try every combination and every real file, print the results, and fail if anything is wrong."""

import logging
import sys
import tempfile
from pathlib import Path

from tests.alignment import chain, features, report
from tests.alignment.clips import CLIPS
from tests.alignment.generator import make
from tests.alignment.real_media import outcomes
from tests.conftest import ROOT

SHARED = ROOT.parent / "shared"


def main() -> int:
    """Print both tables; returns the exit status."""
    logging.basicConfig(level=logging.ERROR)  # warnings of damaged files are in the tables
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tried = [(clip, *chain.run(clip, make(clip, folder), folder / "results")) for clip in CLIPS]
        features.check([(files, found) for _, found, files in tried], folder)
        print(*report.clip_lines([(clip, found) for clip, found, _ in tried]), sep="\n")
        wrong = sum(len(found.errors) for _, found, _ in tried)
        if SHARED.is_dir():
            real = list(outcomes(SHARED, folder))
            print(*report.real_lines(real), sep="\n")
            wrong += sum(not some.right for some in real)
        else:
            print("real media: the folder ../shared is not on this machine")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
