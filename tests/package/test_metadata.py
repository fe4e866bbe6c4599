"""The package's dependencies: ranges in pyproject.toml, pins in requirements*.txt, imports in the code."""

import ast
import re
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Distributions whose modules have another name.
MODULE_OF = {
    "ffmpeg-python": "ffmpeg",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
    "tensorboardx": "tensorboardX",
}
# frame_expressions.workflow runs within Snakemake, from a checkout.
ONLY_IN_A_CHECKOUT = {"snakemake"}
REQUIREMENTS = [
    Requirement(line)
    for line in [
        *PROJECT["dependencies"],
        *(line for extra in PROJECT["optional-dependencies"].values() for line in extra),
    ]
]


def _pins() -> dict[str, str]:
    lines = [
        line.split("#")[0].strip() for path in ROOT.glob("requirements*.txt") for line in path.read_text().splitlines()
    ]
    return {
        canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines) if version
    }


def _imported() -> set[str]:
    modules = set()
    for path in (ROOT / "frame_expressions").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                modules.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                modules.add(node.module)
    return {module.split(".")[0] for module in modules} - set(sys.stdlib_module_names) - {"frame_expressions"}


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_the_version_that_the_tests_run_with_is_in_the_packages_range(requirement):
    assert requirement.specifier
    assert requirement.specifier.contains(_pins()[canonicalize_name(requirement.name)])


def test_every_import_is_declared_and_every_declared_package_is_imported():
    names = [canonicalize_name(requirement.name) for requirement in REQUIREMENTS]
    declared = {MODULE_OF.get(name, name.replace("-", "_")) for name in names}
    assert declared == _imported() - ONLY_IN_A_CHECKOUT


def test_the_package_needs_the_python_that_the_code_is_written_for():
    target = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["target-version"]
    assert PROJECT["requires-python"] == re.sub(r"py3(\d+)", r">=3.\1", target)
