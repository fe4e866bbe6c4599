"""index_contact_sheets: the order, the rows to copy, and a page that stands alone."""

import csv
import io
import json
import re

import pytest

from frame_expressions.corpora.overrides import read_overrides
from tests.html_page import Page
from workflow_scripts.index_contact_sheets import run


def figures(name, doubt, **more):
    return {
        "track": name,
        "video": name,
        "person": "auto",
        "num_overrides": 0,
        "num_frames": 100,
        "doubt": doubt,
        "num_switches": 2,
        "num_jumps": 0,
        "absent_share": 0.125,
        "interpolated_share": 0.0,
        "rival_share": 0.5,
        "median_side_px": 81.5,
        "other_frame": None,
        "other_xyxy_px": None,
        "sheet_size_px": [1352, 1215],
    } | more


@pytest.fixture
def index(tmp_path):
    """Index tracks and return the page's text and the table's rows."""

    def make(*tracks):
        paths = []
        for number, track in enumerate(tracks):
            paths.append(tmp_path / f"{number}.json")
            paths[-1].write_text(json.dumps(track))
        run(figures=paths, page=tmp_path / "index.html", table=tmp_path / "doubt.tsv")
        table = io.StringIO((tmp_path / "doubt.tsv").read_text())
        return (tmp_path / "index.html").read_text(), list(csv.DictReader(table, delimiter="\t"))

    return make


def _track_sections(page):
    """Anchors of the tracks' sections; each is the id of a heading."""
    anchors = [section["aria-labelledby"] for section in page.of("section")]
    assert set(anchors) <= {heading["id"] for heading in page.of("h2")}
    return [anchor for anchor in anchors if anchor.startswith("track-")]


def test_the_most_doubtful_come_first_and_equals_by_name(index):
    text, table = index(figures("b", 0.1), figures("worst", 0.9), figures("a", 0.1))
    assert [row["track"] for row in table] == ["worst", "a", "b"]
    assert table[0]["doubt"] == "0.9000" and table[0]["absent_share"] == "0.1250" and table[0]["num_switches"] == "2"
    page = Page(text)
    assert [image["src"] for image in page.of("img")] == ["worst.jpg", "a.jpg", "b.jpg"]
    assert _track_sections(page) == ["track-worst", "track-a", "track-b"]
    links = [link["href"] for link in page.of("a") if link["href"].startswith("#track")]
    assert links == ["#track-worst", "#track-a", "#track-b"]


def test_a_row_to_copy_is_a_row_that_the_workflow_reads(index, tmp_path):
    offered = {"other_frame": 24, "other_xyxy_px": [253.4, -2.0, 324.8, 312.9]}
    text, _ = index(figures("video1_left", 0.5, **offered), figures("alone", 0.1))
    header, *rows = Page(text).text_of("pre")
    (tmp_path / "overrides.tsv").write_text("\n".join([header, *rows]) + "\n")
    overrides = read_overrides(tmp_path / "overrides.tsv", ["video1_left", "alone"])
    person = "identity@24:253.4,-2,324.8,312.9"
    assert overrides["video1_left"] == [{"from_frame": 1, "to_frame": 100, "person": person}]
    assert overrides["alone"] == [{"from_frame": 1, "to_frame": 100, "person": "largest"}]


def test_the_page_needs_nothing_from_elsewhere_and_serves_everybody(index):
    text, _ = index(figures("t", 0.5))
    page = Page(text)
    assert not page.of("script") and page.of("link") == [{"rel": "icon", "href": "data:,"}]
    assert not re.search(r"https?:|url\(|@import|src=.//", text)
    assert page.of("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.of("meta")
    assert "prefers-color-scheme: dark" in text and ":focus-visible" in text
    (image,) = page.of("img")
    assert image["loading"] == "lazy" and (image["width"], image["height"]) == ("1352", "1215")
    assert image["alt"].startswith("Contact sheet of t: doubt 0.500, switches 2")
    targets = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    assert {link["href"][1:] for link in page.of("a") if link["href"].startswith("#")} <= targets
    assert "doubt is the mean over its frames" in text


def test_names_are_escaped(index):
    text, _ = index(figures('<b>&"x', 0.5))
    page = Page(text)
    assert not page.of("b")
    assert page.of("img")[0]["src"] == "%3Cb%3E%26%22x.jpg"
    assert page.text_of("pre")[1].startswith('<b>&"x\t1\t100')


def test_a_skipped_track_and_an_empty_corpus(index):
    text, table = index(figures("skipped", 0.0, num_frames=0, median_side_px=None))
    assert table[0]["median_side_px"] == "" and "<td>-</td>" in text
    text, table = index()
    assert _track_sections(Page(text)) == [] and table == []
