"""Checkouts in which tests run the workflow as a user would."""

import shutil

import pytest
from filelock import FileLock

from tests.project import Project


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """Make a fresh copy of the project, without results."""
    return lambda name: Project.copied_to(tmp_path_factory.mktemp(name) / "project")


@pytest.fixture(scope="session")
def finished(tmp_path_factory, worker_id):
    """A checkout with a finished small run: the first test process makes it, and every process has a copy."""
    everyones = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        everyones = everyones.parent
    made = everyones / "finished"
    with FileLock(everyones / "finished.lock"):
        if not made.exists():
            project = Project.copied_to(tmp_path_factory.mktemp("finishing") / "project")
            project.run("--cores", "2", "submission", "--configfile", "tests/configs/small.yaml")
            project.root.rename(made)
    root = tmp_path_factory.mktemp("finished") / "project"
    shutil.copytree(made, root)
    return Project(root)
