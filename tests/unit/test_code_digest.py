import pytest

from workflow_scripts.lib import code_digest

FILES = {
    "crop_faces.py": '"""Crop."""\nfrom workflow_scripts.lib.faces.crops import crop\n\nx = crop(1)\n',
    "other.py": "from workflow_scripts.lib.other import x\n",
    "lib/__init__.py": "",
    "lib/faces/__init__.py": "",
    "lib/faces/crops.py": "def crop(a):\n    from workflow_scripts.lib import deep\n\n    return deep.f(a)\n",
    "lib/deep.py": "def f(a):\n    return a + 1\n",
    "lib/other.py": "x = 1\n",
}


@pytest.fixture
def digest(tmp_path):
    """Write the files with some replaced and give the digest of crop_faces."""

    def of(**changed):
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, text in FILES.items():
            path = root / "workflow_scripts" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(changed.get(path.stem, text))
        return code_digest.digest_of("crop_faces", root)

    return of


def test_comments_docstrings_and_layout_do_not_count(digest):
    edited = "# why\ndef f(a):\n    '''Add one.'''\n\n    return (a + 1)  # one\n"
    assert digest(deep=edited) == digest()


def test_a_real_edit_anywhere_below_counts(digest):
    assert digest(deep="def f(a):\n    return a + 2\n") != digest()
    assert digest(crop_faces=FILES["crop_faces.py"].replace("crop(1)", "crop(2)")) != digest()


def test_a_module_that_is_not_imported_does_not_count(digest):
    assert digest(other="x = 2\n") == digest()


def test_every_script_of_the_project_has_a_digest_that_covers_its_imports():
    closure = code_digest._closure(code_digest.ROOT / "workflow_scripts" / "train_fusion.py", code_digest.ROOT)
    names = {path.name for path in closure}
    assert {"train_fusion.py", "heads.py", "annotations.py", "artifacts.py", "expressions.py"} <= names
    assert "padaug.py" not in names
