"""The steps of docs/adding_a_stage.md work exactly as written."""

import re
import subprocess

import numpy as np

from frame_expressions.artifacts.parquet import read_parquet
from tests.conftest import ROOT
from tests.survival.kills import SMALL


def test_the_recipe_works_as_written(finished):
    recipe = (ROOT / "docs/adding_a_stage.md").read_text()
    science, script, rule = re.findall(r"^```(?:python)?\n(.*?)^```$", recipe, re.DOTALL | re.MULTILINE)
    names = ("frame_expressions/faces/light.py", "workflow_scripts/measure_light.py")
    written = [finished.root / name for name in names]
    for path, text in zip(written, (science, script), strict=True):
        path.write_text(text)
    subprocess.run(["ruff", "check", "--config", ROOT / "pyproject.toml", *written], check=True)
    with (finished.root / "rules/faces.smk").open("a") as handle:
        handle.write(f"\n\n{rule}")

    batch = next(path.name for path in (finished.root / "results/crops").iterdir())
    options = ("--cores", "2", "--configfile", SMALL)
    finished.run(f"results/light/{batch}", *options)
    (track, *_) = sorted((finished.root / f"results/crops/{batch}").glob("*.parquet"))
    light = read_parquet(finished.root / f"results/light/{batch}/{track.name}")
    assert light.num_rows == read_parquet(track).num_rows > 0
    assert (np.diff(light["frame"]) >= 0).all() and 0 < np.mean(light["brightness"]) < 1
    assert finished.jobs("--configfile", SMALL) == {}
