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


@pytest.fixture
def shared() -> Path:
    """Folder of real clips, models and faces next to the repository; its tests are skipped without it."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("the folder ../shared with real media is not on this machine")
    return folder
