"""Fixtures for every test."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ["HF_HUB_OFFLINE"] = "1"

# The same examples in every run, on a machine that may be slow.
settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.load_profile("same")

ROOT = Path(__file__).resolve().parents[1]

# Runs of the workflow take minutes. They come first, so that the short tests fill up the time of both test processes;
# the first of them needs no finished run, while the next one makes it for all others.
FIRST = ("tests/workflow/test_cremad.py", "tests/workflow/test_submission.py", "tests/workflow/", "tests/survival/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slowest files first; within a file, and among the others, the order stays."""

    def rank(item: pytest.Item) -> int:
        path = item.path.relative_to(ROOT).as_posix()
        return next((place for place, start in enumerate(FIRST) if path.startswith(start)), len(FIRST))

    items.sort(key=rank)


@pytest.fixture
def shared() -> Path:
    """Folder of real clips, models and faces next to the repository; its tests are skipped without it."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the folder ../shared with real media is not on this machine")
    return folder
