import ast
import shutil

import pytest

from frame_expressions.workflow import code_digest
from tests.conftest import ROOT

FILES = {
    "workflow_scripts/crop_faces.py": '"""Crop."""\nfrom frame_expressions.faces.crops import crop\n\nx = crop(1)\n',
    "workflow_scripts/other.py": "from frame_expressions.other import x\n",
    "frame_expressions/__init__.py": "",
    "frame_expressions/faces/__init__.py": "",
    "frame_expressions/faces/crops.py": "def crop(a):\n    from frame_expressions import deep\n\n    "
    "return deep.f(a)\n",
    "frame_expressions/deep.py": "def f(a):\n    return a + 1\n",
    "frame_expressions/other.py": "x = 1\n",
    "frame_expressions/runtime/__init__.py": "",
    "frame_expressions/runtime/job.py": "def f(a):\n    return a\n",
    "frame_expressions/runtime/errors.py": "",
}


@pytest.fixture
def digest(tmp_path):
    """Write the files with some replaced and give the digest of crop_faces."""

    def of(**changed):
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, text in FILES.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(changed.get(path.stem, text))
        return code_digest.digest_of("crop_faces", root)

    return of


def test_comments_docstrings_and_layout_do_not_count(digest):
    edited = "# why\ndef f(a):\n    '''Add one.'''\n\n    return (a + 1)  # one\n"
    assert digest(deep=edited) == digest()


def test_a_real_edit_anywhere_below_counts(digest):
    assert digest(deep="def f(a):\n    return a + 2\n") != digest()
    assert digest(crop_faces=FILES["workflow_scripts/crop_faces.py"].replace("crop(1)", "crop(2)")) != digest()


def test_a_module_that_is_not_imported_does_not_count(digest):
    assert digest(other="x = 2\n") == digest()


def test_every_script_of_the_project_has_a_digest_that_covers_its_imports():
    names = {path.name for path in code_digest.imported_files(ROOT / "workflow_scripts/train_fusion.py")}
    assert {"train_fusion.py", "heads.py", "annotations.py", "parquet.py", "vocabulary.py"} <= names
    assert "padaug.py" not in names


MESSAGES = """
import logging

from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.job import progress


def f(a):
    logging.info("one %s", a)
    if a < 0:
        raise InputError(f"{a} is negative", "choose another")
    error = InputError("never", "mind") if a else None
    for _ in progress(range(a), len("shapes"), "counting"):
        a = {"key": a}["key"]
    return a
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"one %s"', '"two %s"'),
        ('f"{a} is negative"', '"below 0"'),
        ('"choose another"', 'f"not {a}"'),
        ('"never"', '"always"'),
        ('"counting"', 'f"counting {a}"'),
    ],
)
def test_the_text_of_a_message_does_not_count(digest, old, new):
    assert old in MESSAGES
    assert digest(deep=MESSAGES.replace(old, new)) == digest(deep=MESSAGES)


@pytest.mark.parametrize(("old", "new"), [('"key"', '"other"'), ('len("shapes")', 'len("shape")'), ("a < 0", "a < 1")])
def test_text_that_is_no_message_counts(digest, old, new):
    assert old in MESSAGES
    assert digest(deep=MESSAGES.replace(old, new)) != digest(deep=MESSAGES)


def test_what_runtime_does_not_say_does_not_count(digest):
    """A job's way to speak and to fail shapes no byte of an artifact."""
    uses = "from frame_expressions.runtime.job import f\n"
    assert digest(deep=uses, job="def f(a):\n    return a\n") == digest(deep=uses, job="def f(a):\n    return -a\n")


class _Reword(ast.NodeTransformer):
    """Gives every string of a message other words, and other values in it."""

    def __init__(self):
        self.count = 0

    def visit_Raise(self, node):
        return self._reword(node)

    def visit_Call(self, node):
        name = ast.unparse(node.func)
        is_message = name.startswith("logging.") or name in ("InputError", "MediaError")
        return self._reword(node) if is_message else self.generic_visit(node)

    def _reword(self, node):
        other = self

        class Strings(ast.NodeTransformer):
            def visit_Constant(self, constant):
                if not isinstance(constant.value, str):
                    return constant
                other.count += 1
                return ast.Constant(f"other words {other.count}")

            def visit_JoinedStr(self, joined):
                return self.visit_Constant(ast.Constant(""))

        return Strings().visit(node)


@pytest.fixture
def copied(tmp_path):
    """A copy of all the code that a digest can cover."""
    for package in code_digest.PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


SCRIPTS = sorted(path.stem for path in (ROOT / "workflow_scripts").glob("*.py") if path.stem != "__init__")


def test_rewording_every_message_of_the_project_changes_no_digest(copied):
    reword = _Reword()
    for path in copied.rglob("*.py"):
        path.write_text(ast.unparse(reword.visit(ast.parse(path.read_text()))))
    assert reword.count > 300
    assert [name for name in SCRIPTS if code_digest.digest_of(name, copied) != code_digest.digest_of(name)] == []


def test_one_computing_line_changes_the_digests_of_the_rules_that_use_it(copied):
    [module] = copied.rglob("padaug.py")
    old = "max(round(self.max_shift * min(height, width)), 1), 10)"
    assert old in module.read_text()
    module.write_text(module.read_text().replace(old, old.replace("10", "11")))
    changed = [name for name in SCRIPTS if code_digest.digest_of(name, copied) != code_digest.digest_of(name)]
    assert changed == ["train_stage1", "write_report"]
