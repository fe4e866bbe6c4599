"""What is installed: by pip, by conda for each rule, in the container. All have the same versions."""

import re

import jsonschema
import yaml

from tests.conftest import ROOT

ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))
REQUIREMENTS = ("requirements.txt", "requirements-no-deps.txt")
# What conda reads of an environment file: https://docs.conda.io/projects/conda (Creating an environment file manually).
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["channels", "dependencies"],
    "properties": {
        "channels": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "dependencies": {
            "type": "array",
            "items": {
                "oneOf": [
                    {"type": "string", "pattern": r"^[a-z0-9_.-]+(=[0-9.]+)?$"},
                    {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["pip"],
                        "properties": {
                            "pip": {
                                "type": "array",
                                "minItems": 1,
                                "items": {"type": "string", "pattern": r"^[A-Za-z0-9_.-]+==[0-9.]+$"},
                            }
                        },
                    },
                ]
            },
        },
    },
}


def _pins() -> dict[str, str]:
    lines = [line.split("#")[0].strip() for name in REQUIREMENTS for line in (ROOT / name).read_text().splitlines()]
    return dict(line.split("==") for line in lines if "==" in line)


def test_conda_can_read_the_environments():
    assert ENVIRONMENTS
    for path in ENVIRONMENTS:
        listed = yaml.safe_load(path.read_text())
        jsonschema.validate(listed, SCHEMA)
        assert "pip" in listed["dependencies"] and "python=3.11" in listed["dependencies"], path.name


def test_the_environments_pin_the_same_versions_as_the_requirements():
    pins = _pins()
    pins["opencv-python"] = pins["opencv-python-headless"]  # conda's environment has the libraries it looks for
    for path in ENVIRONMENTS:
        dependencies = yaml.safe_load(path.read_text())["dependencies"]
        for entry in next(part["pip"] for part in dependencies if isinstance(part, dict)):
            package, version = entry.split("==")
            assert pins[package] == version, f"{path.name}: {package}"


def test_the_container_installs_what_make_install_does():
    recipe = (ROOT / "Dockerfile").read_text()
    copied = re.search(r"^COPY (.*) /tmp/$", recipe, re.MULTILINE)[1].split()
    assert set(copied) == {*REQUIREMENTS, "requirements-kubernetes.txt"}
    assert all((ROOT / name).is_file() for name in copied)
    assert re.search(r"pip install [^&]*-r /tmp/requirements.txt", recipe)
    assert re.search(r"pip install [^&]*--no-deps -r /tmp/requirements-no-deps.txt", recipe)
    assert "FROM python:3.11-" in recipe  # as the Makefile asks for
