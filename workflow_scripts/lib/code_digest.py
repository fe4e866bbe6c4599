"""A hash of the code behind a rule, so that an edited module re-runs exactly the rules that use it.

Snakemake watches a rule's script but not the modules that the script imports. Each rule therefore carries
this digest as a parameter. It covers the syntax tree of the script and of every project module that it
imports, at any depth; comments, docstrings and layout do not count.
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

PACKAGE = "workflow_scripts"
ROOT = Path(__file__).resolve().parents[2]


def digest_of(script: str, root: Path = ROOT) -> str:
    """Digest of `workflow_scripts/<script>.py` and all that it imports from the project."""
    digest = hashlib.sha256()
    for path in sorted(_closure(root / PACKAGE / f"{script}.py", root)):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(_meaning(path).encode())
    return digest.hexdigest()[:16]


def _closure(start: Path, root: Path) -> set[Path]:
    found, waiting = set(), [start]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting.extend(_imports(path, root))
    return found


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), filename=str(path))


@cache
def _meaning(path: Path) -> str:
    tree = ast.parse(path.read_bytes(), filename=str(path))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if ast.get_docstring(node, clean=False) is not None:
                node.body = node.body[1:]
    return ast.dump(tree)


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
        if name.split(".")[0] == PACKAGE:
            base = root / name.replace(".", "/")
            files += [file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()]
    return tuple(files)
