"""The package's floors: a module imports from its own floor and the ones below, never upwards."""

import ast
import re
import subprocess
import sys

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


def _imported(path):
    """Modules that a file imports, at any depth of its code."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative name, which would load a second copy of the module"
            yield node.module


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
            assert FLOORS.index(imported) <= floor, f"{source} imports {module} from a floor above"


def test_a_script_imports_no_other_script():
    assert SCRIPTS
    for path in SCRIPTS:
        assert not [module for module in _imported(path) if module.startswith("workflow_scripts")], path.name
    assert {path.name for path in (ROOT / "workflow_scripts").iterdir()} - {"__init__.py", "__pycache__"} == {
        path.name for path in SCRIPTS
    }


def test_the_snakefile_and_its_rules_import_light_modules_only():
    texts = [path.read_text() for path in (ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk")))]
    lines = {
        line for text in texts for line in re.findall(r"^from frame_expressions[^\n]+ import [^\n(]+$", text, re.M)
    }
    assert len(lines) > 10
    program = "\n".join([*sorted(lines), "import sys", "print(*sys.modules)"])
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & set(HEAVY) == set()


def test_the_snakefile_is_short_and_asks_neither_the_command_line_nor_the_importing_workflows_folder():
    text = (ROOT / "Snakefile").read_text()
    assert text.count("\n") <= 90
    assert text.count("sys.argv") == 1  # handed to the one function that decides the mode
    for path in (ROOT / "rules").glob("*.smk"):
        assert "sys.argv" not in path.read_text(), path.name
        assert "basedir" not in path.read_text(), path.name
    assert "workflow.basedir" not in text


def test_a_rule_file_imports_what_it_uses():
    """Names of one rule file do not come from another: only config, run and corpus are shared, and Snakemake's own."""
    for path in sorted((ROOT / "rules").glob("*.smk")):
        text = path.read_text()
        imported = set(re.findall(r"\w+", " ".join(re.findall(r"^from \S+ import ([^\n]+)$", text, re.M))))
        for name in ("digest_of", "rising", "steady", "local_if_given", "label_rows", "fold_names", "METHOD", "Path"):
            if re.search(rf"\b{name}\b", re.sub(r"^from .*$", "", text, flags=re.M)):
                assert name in imported, f"{path.name} uses {name} without importing it"


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
