"""The shape that every rule has."""

import re

import pytest

from tests.conftest import ROOT

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
    assert [directive for directive in directives if directive != "input"] == ORDER
    assert f'"../workflow_scripts/{name}.py"' in body
    assert f'code=digest_of("{name}")' in body
    assert f'"results/logs/{name}' in body and f'"results/benchmarks/{name}' in body
    assert {"mem_mb", "runtime"} <= set(re.findall(r"^        (\w+)=", body, re.MULTILINE))
    assert (ROOT / "workflow_scripts" / f"{name}.py").exists()


def test_every_script_has_its_rule():
    scripts = {path.stem for path in (ROOT / "workflow_scripts").glob("*.py")} - {"__init__"}
    assert scripts == set(RULES)


@pytest.mark.parametrize("stage", sorted(TEXTS))
def test_a_rule_file_opens_with_what_it_reads_and_writes(stage):
    assert re.match(r'"""Reads  .+\n(       .+\n)*Writes results/', TEXTS[stage])
    assert TEXTS[stage].count("\n") < 150
