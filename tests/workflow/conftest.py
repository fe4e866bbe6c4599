"""Checkouts to run as a user does."""

import pytest

from tests.project import Project


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """Make a fresh copy of the project, without results."""
    return lambda name: Project.copied_to(tmp_path_factory.mktemp(name) / "project")


@pytest.fixture(scope="session")
def finished(checkout):
    """A checkout whose small run has ended."""
    project = checkout("finished")
    project.run("--cores", "2", "submission", "--configfile", "tests/configs/small.yaml")
    return project
