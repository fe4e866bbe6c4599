"""Every error that the user can correct states the fault and a remedy, in the form that the message needs."""

import ast
import errno
import pickle

import pytest

from frame_expressions.runtime.errors import InputError, MediaError
from tests.conftest import ROOT

PATHS = sorted(path for folder in ("frame_expressions", "workflow_scripts") for path in (ROOT / folder).rglob("*.py"))
ERRORS = ("InputError", "MediaError", "UndecodableAudio")


def _text(node):
    """The literal text of an argument, with {} for inserted values; None for any other expression."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def _faults(tree):
    """The line and the fault of each construction of one of ERRORS that lacks something."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
            named = {keyword.arg: keyword.value for keyword in node.keywords}
            fields = dict(zip(("what", "remedy"), node.args, strict=False)) | named
            for name in ("what", "remedy"):
                if name not in fields:
                    yield node.lineno, f"has no {name}"
                elif (text := _text(fields[name])) is not None:
                    if not text.strip():
                        yield node.lineno, f"has an empty {name}"
                    if text.rstrip().endswith(".") or text != text.strip():
                        yield node.lineno, f"has a {name} that ends in a full stop or a space: {text!r}"
                    if text.strip("{}' ") and name == "remedy" and text[:1].isupper():
                        yield node.lineno, f"has a remedy that does not continue the sentence: {text!r}"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_error_states_a_fault_and_a_remedy(path):
    faults = list(_faults(ast.parse(path.read_text())))
    assert not faults, "\n".join(f"{path}:{line} {fault}" for line, fault in faults)


@pytest.mark.parametrize(
    ("call", "num_faults"),
    [
        ('InputError("a is b", "fix it")', 0),
        ('MediaError(f"{path} is b", remedy=REMEDY)', 0),
        ('InputError("a is b")', 1),
        ('InputError("a is b", "")', 1),
        ('InputError(f"{path} is b.", "fix it.")', 2),
        ('InputError(error.what, "Fix it")', 1),
    ],
)
def test_faults_are_found(call, num_faults):
    assert len(list(_faults(ast.parse(call)))) == num_faults


def test_errors_survive_a_process_boundary():
    error = MediaError("a.mp4 is bad", "fix it", "last line", {"execution.limits.video_s": 3})
    for wrong in (InputError("a.mp4 is bad", "fix it"), error):
        copy = pickle.loads(pickle.dumps(wrong))
        assert (type(copy), str(copy), vars(copy)) == (type(wrong), "a.mp4 is bad; fix it.", vars(wrong))
    wrong.__cause__ = OSError(errno.EMFILE, "Too many open files")
    cause = pickle.loads(pickle.dumps(wrong)).__cause__
    assert (type(cause), cause.errno) == (OSError, errno.EMFILE)
    assert str(InputError("unknown key 'a'", "did you mean 'b'?")) == "unknown key 'a'; did you mean 'b'?"
    assert str(InputError("No remedy is known")) == "No remedy is known"
