"""The shape that every rule has."""

import ast
import re
import sys

import pytest
import yaml

from frame_expressions.workflow.code_digest import imported_files
from tests.conftest import ROOT

NO_FILES = ["check_corpus"]  # with an output or a benchmark it would not run a second time
ORDER = ["output", "log", "benchmark", "conda", "threads", "resources", "params", "script"]
TEXTS = {path.stem: path.read_text() for path in sorted((ROOT / "rules").glob("*.smk"))}
RULES = {
    name: body
    for text in TEXTS.values()
    for name, body in re.findall(r"^rule (\w+):\n((?:    .*\n|\n)+)", text, re.MULTILINE)
    if "script:" in body
}


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rule_names_everything_in_one_order(name):
    body = RULES[name]
    directives = re.findall(r"^    (\w+):", body, re.MULTILINE)
    made = () if name in NO_FILES else ("output", "benchmark")
    order = [directive for directive in ORDER if directive in made or directive not in ("output", "benchmark")]
    assert [directive for directive in directives if directive != "input"] == order
    assert f'"../workflow_scripts/{name}.py"' in body
    assert f'code=digest_of("{name}")' in body
    assert f'"results/logs/{name}' in body and (not made or f'"results/benchmarks/{name}' in body)
    assert {"mem_mb", "runtime", "disk_mb"} <= set(re.findall(r"^        (\w+)=", body, re.MULTILINE))
    assert (ROOT / "workflow_scripts" / f"{name}.py").exists()


def test_every_script_has_its_rule():
    scripts = {path.stem for path in (ROOT / "workflow_scripts").glob("*.py")} - {"__init__"}
    assert scripts == set(RULES)


@pytest.mark.parametrize("stage", sorted(TEXTS))
def test_a_rule_file_opens_with_what_it_reads_and_writes(stage):
    assert re.match(r'"""Reads  .+\n(       .+\n)*Writes results/', TEXTS[stage])
    assert TEXTS[stage].count("\n") < 150


PACKAGE_OF = {
    "PIL": "pillow",
    "cv2": "opencv-python",
    "ffmpeg": "ffmpeg-python",
    "imageio_ffmpeg": "imageio-ffmpeg",
    "jinja2": "Jinja2",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_rules_environment_holds_what_its_code_imports(name):
    environment = re.search(r'"\.\./envs/(\w+\.yaml)"', RULES[name])[1]
    listed = yaml.safe_load((ROOT / "envs" / environment).read_text())["dependencies"]
    packages = next(part["pip"] for part in listed if isinstance(part, dict))
    pins = {entry.split("==")[0].removesuffix("-headless") for entry in packages}
    imported = set()
    for path in imported_files(ROOT / "workflow_scripts" / f"{name}.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module)
    tops = (
        {module.split(".")[0] for module in imported}
        - set(sys.stdlib_module_names)
        - {"frame_expressions", "workflow_scripts"}
    )
    assert {PACKAGE_OF.get(top, top) for top in tops} <= pins
