"""The wheel: what it holds, and what importing the package from it costs."""

import subprocess
import sys
import zipfile
from email.parser import BytesParser

import pytest

import frame_expressions
from tests.conftest import ROOT

DATA = {"frame_expressions/config.yaml", "frame_expressions/config.schema.yaml"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built with the installed hatchling, since an isolated build would fetch it."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--no-cache-dir", "--quiet", "--wheel-dir", folder)
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, ROOT], check=True, cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel, unpacked: a wheel of Python code alone is importable as it is."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def _python(code: str, folder) -> str:
    """What `code` prints in a new interpreter that imports from `folder` and the environment, not from the checkout."""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {code}"]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder).stdout.strip()


def test_the_wheel_holds_the_package_and_its_defaults_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    code = {path.relative_to(ROOT).as_posix() for path in (ROOT / "frame_expressions").rglob("*.py")}
    assert names == code | DATA


def test_the_defaults_are_those_of_the_checkout(installed):
    for name in DATA:
        assert (installed / name).read_bytes() == (ROOT / name.removeprefix("frame_expressions/")).read_bytes()


def test_the_metadata_has_the_packages_version_and_licence(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = BytesParser().parsebytes(archive.read(name))
    assert (metadata["Name"], metadata["Version"]) == ("frame-expressions", frame_expressions.__version__)
    assert metadata["License-Expression"] == "MIT"


def test_importing_the_package_imports_the_standard_library_only(installed):
    code = (
        "before = set(sys.modules); import frame_expressions; "
        "print(*{name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names))"
    )
    assert _python(code, installed) == "frame_expressions"


def test_the_light_names_import_neither_torch_nor_pandas(installed):
    code = (
        "from frame_expressions import EXPRESSIONS, ExportedModel, InputError, MediaError; "
        "print(*{'numpy', 'torch', 'pandas', 'pyarrow'} & set(sys.modules))"
    )
    assert _python(code, installed) == ""


def test_every_public_name_is_there_and_documented():
    for name in frame_expressions.__all__:
        assert getattr(frame_expressions, name) is not None
        assert name in frame_expressions.__doc__ or name == "__version__"
    assert set(frame_expressions.__all__) <= set(dir(frame_expressions))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"frame_expressions.*no attribute 'Predicter'"):
        frame_expressions.Predicter  # noqa: B018
