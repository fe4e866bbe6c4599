"""The steps of docs/adding_a_stage.md work exactly as written."""

import re
import shutil
import subprocess

import numpy as np

from frame_expressions.artifacts.parquet import read_parquet
from tests.conftest import ROOT
from tests.project import Project
from tests.survival.kills import SMALL


def test_the_recipe_works_as_written(finished, tmp_path):
    project = Project(shutil.copytree(finished.root, tmp_path / "project"))
    recipe = (ROOT / "docs/adding_a_stage.md").read_text()
    science, script, rule = re.findall(r"^```(?:python)?\n(.*?)^```$", recipe, re.DOTALL | re.MULTILINE)
    names = ("frame_expressions/faces/light.py", "workflow_scripts/measure_light.py")
    written = [project.root / name for name in names]
    for path, text in zip(written, (science, script), strict=True):
        path.write_text(text)
    subprocess.run(["ruff", "check", "--config", ROOT / "pyproject.toml", *written], check=True)
    with (project.root / "rules/faces.smk").open("a") as handle:
        handle.write(f"\n\n{rule}")

    batch = next(path.name for path in (project.root / "results/crops").iterdir())
    options = ("--cores", "2", "--configfile", SMALL)
    project.run(f"results/light/{batch}", *options)
    (track, *_) = sorted((project.root / f"results/crops/{batch}").glob("*.parquet"))
    light = read_parquet(project.root / f"results/light/{batch}/{track.name}")
    assert light.num_rows == read_parquet(track).num_rows > 0
    assert (np.diff(light["frame"]) >= 0).all() and 0 < np.mean(light["brightness"]) < 1
    assert project.jobs("--configfile", SMALL) == {}
