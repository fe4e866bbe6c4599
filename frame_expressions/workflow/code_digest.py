"""A hash of the code behind a rule, so that an edited module re-runs exactly the rules that use it.

Snakemake watches a rule's script but not the modules that the script imports. Each rule therefore carries this digest
as a parameter. It covers the syntax tree of the script and of every project module that it imports, at any depth.
What the code says does not count: comments, docstrings, layout, the text of errors and log lines, and everything in
`runtime`, which affects logs and error reports but no byte of an artifact.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGES = ("workflow_scripts", "frame_expressions")
RUNTIME = "frame_expressions.runtime"
ROOT = Path(__file__).resolve().parents[2]


def digest_of(script: str, root: Path = ROOT) -> str:
    """Digest of `workflow_scripts/<script>.py` and of all project code that it imports."""
    digest = hashlib.sha256()
    for path in sorted(imported_files(root / "workflow_scripts" / f"{script}.py", root)):
        if not _is_runtime(path, root):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(_meaning(path).encode())
    return digest.hexdigest()[:16]


def imported_files(start: Path, root: Path = ROOT) -> set[Path]:
    """`start` and every project file that it imports, at any depth."""
    found, waiting = set(), [start]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(_imports(path, root))
    return found


def _is_runtime(path: Path, root: Path) -> bool:
    return path.is_relative_to(root / RUNTIME.replace(".", "/"))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), filename=str(path))


@cache
def _meaning(path: Path) -> str:
    """The syntax tree as text, without docstrings and with every message blanked."""
    tree = ast.parse(path.read_bytes(), filename=str(path))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:]
    return ast.dump(_BlankMessages(_names_from_runtime(tree)).visit(tree))


def _names_from_runtime(tree: ast.Module) -> set[str]:
    """Names that a module imports from `runtime`: errors, and functions that talk to the user."""
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{RUNTIME}.")
        for alias in node.names
    }


class _BlankMessages(ast.NodeTransformer):
    """Replaces the text of messages with the empty string.

    A message is any string inside a `raise`, a `logging` call or the construction of an error from `runtime`, and any
    string that is itself an argument of another function from `runtime`. A string that shapes an artifact must
    therefore not be written there; use a constant instead.
    """

    def __init__(self, from_runtime: set[str]):
        self._from_runtime = from_runtime

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return _Blank().visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        function = node.func
        if isinstance(function, ast.Attribute) and getattr(function.value, "id", None) == "logging":
            return _Blank().visit(node)
        if isinstance(function, ast.Name) and function.id in self._from_runtime:
            if function.id.endswith("Error"):
                return _Blank().visit(node)
            node.args = [_blank_if_text(argument) for argument in node.args]
            for keyword in node.keywords:
                keyword.value = _blank_if_text(keyword.value)
        return self.generic_visit(node)


class _Blank(ast.NodeTransformer):
    """Replaces every string below a node with the empty string, including whole f-strings."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return _blank_if_text(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return _blank_if_text(node)


def _blank_if_text(node: ast.AST) -> ast.AST:
    is_text = isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    return ast.Constant("") if is_text else node


@cache
def _imports(path: Path, root: Path) -> tuple[Path, ...]:
    names = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    files = []
    for name in sorted(names):
        if name.split(".")[0] in PACKAGES:
            base = root / name.replace(".", "/")
            files += [file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()]
    return tuple(files)
