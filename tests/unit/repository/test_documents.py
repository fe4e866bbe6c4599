"""The documents: their links lead somewhere, the paths they name exist, and they use the project's words."""

import re

import pytest

from tests.conftest import ROOT

DOCUMENTS = ["README.md", "CONTRIBUTING.md", "benchmarks/README.md"]
DOCUMENTS += sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))
FOLDERS = "benchmarks|docs|envs|frame_expressions|profiles|rules|tests|workflow_scripts"
ADDED_BY_THE_RECIPE = {"frame_expressions/faces/light.py", "workflow_scripts/measure_light.py"}
RETIRED = (
    "made_by|has_sound|picture_s|picture_px|encoders\\.speech|corpus\\.on_bad_video|subject\\.overrides"
    "|stage1\\.training\\.num_workers|workflow_scripts/lib|takes? the place of|(?<!there )is no |mends?|overlay films?"
)
"""Settings, columns and turns of phrase that were replaced. The changelog names the old ones on purpose."""


def _text(document: str) -> str:
    return (ROOT / document).read_text()


def _prose(document: str) -> str:
    """The text without blocks of code."""
    return re.sub(r"^```.*?^```$", "", _text(document), flags=re.DOTALL | re.MULTILINE)


def _anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", [*DOCUMENTS, "CHANGELOG.md"])
def test_every_relative_link_leads_somewhere(document):
    folder = (ROOT / document).parent
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", _prose(document)):
        path = (folder / target).resolve() if target else ROOT / document
        assert path.exists(), f"{document}: {target}"
        if anchor:
            assert anchor in _anchors(path.read_text()), f"{document}: {target}#{anchor}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_in_backticks_exists(document):
    for path in re.findall(rf"`((?:{FOLDERS})/[^`\s]*)`", _prose(document)):
        if re.search(r"[<{]", path):  # a pattern such as rules/<topic>.smk
            continue
        found = list(ROOT.glob(path.rstrip("/")))
        assert found or path in ADDED_BY_THE_RECIPE, f"{document}: {path}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_document_uses_a_retired_word(document):
    assert re.findall(rf"\b(?:{RETIRED})\b", _text(document)) == []


def test_the_readme_fits_and_its_image_is_small():
    assert len(_text("README.md").splitlines()) <= 170
    images = list((ROOT / "docs/images").iterdir())
    assert images and all(image.stat().st_size <= 200_000 for image in images)
