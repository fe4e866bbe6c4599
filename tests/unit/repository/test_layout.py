"""The package's floors: a module imports from its own floor and the ones below, never upwards."""

import ast
import io
import os
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "frame_expressions"
FLOORS = (
    "runtime",
    "artifacts",
    "media",
    "faces",
    "challenge",
    "corpora",
    "networks",
    "encoders",
    "stage1",
    "fusion",
    "smoothing",
    "demo",
    "report",
    "prediction",
    "workflow",
)
HEAVY = ("pandas", "pyarrow", "scipy", "sklearn", "torch", "transformers")
SOURCES = sorted(path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*.py"))
SCRIPTS = sorted((ROOT / "workflow_scripts").glob("[a-z]*.py"))
RULE_FILES = sorted((ROOT / "rules").glob("*.smk"))
IMPORT = re.compile(r"^(?:from \S+ )?import ([^\n]+)$", re.MULTILINE)


def _imported(path):
    """Modules that a file imports, at any depth of its code."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative name, which would load a second copy of the module"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)  # each may be a module, too


def test_the_package_has_these_floors_and_no_loose_module():
    found = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert found == {"__init__.py", *FLOORS}


@pytest.mark.parametrize("source", [name for name in SOURCES if name.count("/") > 1])
def test_a_module_imports_nothing_from_above(source):
    floor = FLOORS.index(source.split("/")[1])
    for module in _imported(ROOT / source):
        assert not module.startswith("workflow_scripts"), f"{source} imports the script {module}"
        if module.startswith("frame_expressions."):
            imported = module.split(".")[1]
            if imported not in FLOORS:
                pytest.fail(f"{source} imports {module}: name the module that defines it")
            assert FLOORS.index(imported) <= floor, f"{source} imports {module} from a floor above"


def test_a_script_imports_no_other_script():
    assert SCRIPTS
    for path in SCRIPTS:
        assert not [module for module in _imported(path) if module.startswith("workflow_scripts")], path.name
    assert {path.name for path in (ROOT / "workflow_scripts").iterdir()} - {"__init__.py", "__pycache__"} == {
        path.name for path in SCRIPTS
    }


def test_the_snakefile_and_its_rules_import_light_modules_only():
    texts = [path.read_text() for path in (ROOT / "Snakefile", *RULE_FILES)]
    lines = {found[0] for text in texts for found in IMPORT.finditer(text)}
    assert not [line for line in lines if line.endswith(("(", "\\"))], "this test reads imports on one line only"
    assert len([line for line in lines if "frame_expressions" in line]) > 10
    program = "\n".join([*sorted(lines), "import sys", "print(*sys.modules)"])
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & set(HEAVY) == set()


def test_the_snakefile_is_short_and_asks_neither_the_command_line_nor_the_importing_workflows_folder():
    text = (ROOT / "Snakefile").read_text()
    assert text.count("\n") <= 90
    assert text.count("sys.argv") == 1  # handed to the one function that decides the mode
    for path in RULE_FILES:
        assert "sys.argv" not in path.read_text(), path.name
        assert "basedir" not in path.read_text(), path.name
    assert "workflow.basedir" not in text


def _defined(text):
    """Names that a rule file imports or assigns for all of its rules."""
    imported = {name.split()[-1] for found in IMPORT.findall(text) for name in found.split(",")}
    return imported | set(re.findall(r"^(?:def )?(\w+)(?: =|\()", text, re.MULTILINE))


def _used(text):
    """Names that a rule file reads: not attributes, keyword arguments or directives."""
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    for before, token, after in zip([tokens[0], *tokens], tokens, tokens[1:], strict=False):
        if token.type == tokenize.NAME and before.string != "." and after.string not in ("=", ":"):
            yield token.string
        elif token.type == tokenize.STRING and token.string.startswith("f"):
            yield from re.findall(r"\{(\w+)", token.string)


def test_jobs_find_the_package_and_what_the_user_put_on_the_path(tmp_path):
    probe = tmp_path / "Snakefile"
    probe.write_text(f'include: "{ROOT / "Snakefile"}"\nprint("path", os.environ["PYTHONPATH"])\n')
    done = subprocess.run(
        [Path(sys.executable).with_name("snakemake"), "-n", "--snakefile", probe, "corpus"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": "/somewhere/else"},
        capture_output=True,
        text=True,
    )
    assert f"path {ROOT}{os.pathsep}/somewhere/else\n" in done.stdout, done.stderr


def test_a_rule_file_defines_what_it_uses():
    """Names do not come from another rule file: config, run and corpus, which all share, are the Snakefile's."""
    texts = {path.name: path.read_text() for path in RULE_FILES}
    defined = {name: _defined(text) for name, text in texts.items()}
    everywhere = set().union(*defined.values())
    assert {"digest_of", "rising", "NUM_FOLDS", "ablation_plan"} <= everywhere
    for name, text in texts.items():
        foreign = (everywhere - defined[name]) & set(_used(text))
        assert not foreign, f"{name} takes {', '.join(sorted(foreign))} from another rule file"


def _functions(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", [*map(ROOT.joinpath, SOURCES), *SCRIPTS], ids=lambda path: path.stem)
def test_a_function_fits_on_a_screen_and_takes_few_arguments(path):
    for function in _functions(path):
        given = function.args
        names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs) if one.arg != "self"]
        assert len(names) <= 10, f"{path.name}: {function.name} takes {len(names)} arguments"
        length = function.end_lineno - function.lineno + 1
        assert length <= 60, f"{path.name}: {function.name} has {length} lines"
