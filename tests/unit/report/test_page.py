"""The blocks of the page: what they say, in which structure, and that nothing in them is taken for HTML."""

import re

from frame_expressions.report.page import (
    Command,
    Folded,
    Legend,
    Link,
    LinkedImage,
    Listing,
    Numbers,
    Picture,
    Pictures,
    Section,
    Steps,
    Table,
    Text,
    page_of,
)
from tests.html_page import Page

HOSTILE = '</style><script>alert("1")</script>\'&x'
PICTURE = Picture("data:image/png;base64,AAAA", "data:image/png;base64,BBBB", 20, 10, HOSTILE, HOSTILE)
BLOCKS = [
    Text(HOSTILE),
    Command(HOSTILE),
    Steps([[Text(HOSTILE)]]),
    Listing(HOSTILE),
    Numbers([(HOSTILE, HOSTILE, HOSTILE)]),
    Table(HOSTILE, [HOSTILE, HOSTILE], [[HOSTILE, HOSTILE]]),
    PICTURE,
    Pictures([PICTURE], 100),
    Legend([(HOSTILE, "#000000")]),
    Folded(HOSTILE, [Text(HOSTILE)]),
]


def test_whatever_a_block_is_given_is_text():
    for block in BLOCKS:
        page = Page(page_of(HOSTILE, HOSTILE, [Section("one", HOSTILE, [block])]))
        assert not page.of("script"), block
        assert HOSTILE in page.text, block
    assert Page(page_of("t", "i", [Section("one", "s", [PICTURE])])).of("img")[0]["alt"] == HOSTILE


def test_the_page_has_one_title_a_heading_for_each_section_and_links_to_them():
    page = Page(page_of("The title", "Hello.", [Section(name, f"Part {name}", BLOCKS) for name in ("one", "two")]))
    assert page.of("html") == [{"lang": "en"}]
    assert page.text_of("title") == page.text_of("h1") == ["The title"]
    assert page.text_of("h2") == ["Part one", "Part two"]
    assert not page.of("h3") and len(page.of("main")) == len(page.of("nav")) == 1
    links = [link["href"] for link in page.of("a")]
    assert links == ["#content", "#one", "#two"]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert sorted(ids) == ["content", "one", "two"]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.of("meta")


def test_text_between_backticks_is_code():
    page = Page(page_of("t", "i", [Section("one", "s", [Text("run `snakemake <x>` again")])]))
    assert page.text_of("code") == ["snakemake <x>"] and "run snakemake <x> again" in page.text_of("p")


def test_files_next_to_the_page_and_rows_are_linked_to():
    image = LinkedImage(f"{HOSTILE}.jpg", 20, 10, HOSTILE)
    blocks = [Link(HOSTILE, "#two"), image, Table("All", ["name", "n"], [["x", "1"], ["y", "2"]], ["one", "two"])]
    page = Page(page_of("t", "i", [Section("one", "s", blocks), Section("two", "s", [], is_listed=False)]))
    (shown,) = page.of("img")
    assert shown["alt"] == HOSTILE and shown["loading"] == "lazy" and not set("<>&\"' ") & set(shown["src"])
    assert [link["href"] for link in page.of("a")] == ["#content", "#one", "#two", shown["src"], "#one", "#two"]
    assert not page.of("script")


def test_tables_say_what_their_headers_belong_to():
    page = Page(page_of("t", "i", [Section("one", "s", [Table("All", ["name", "a_b"], [["x_y", "1"], ["z", "2"]])])]))
    assert [header["scope"] for header in page.of("th")] == ["col", "col", "row", "row"]
    assert page.text_of("caption") == ["All"]
    assert page.text_of("td") == ["1", "2"]
    assert [name.strip() for name in page.text_of("th")[2:]] == ["x_y", "z"] and len(page.of("wbr")) == 1


def test_a_picture_has_its_dark_version_only_where_there_is_one():
    text = page_of("t", "i", [Section("one", "s", [PICTURE])])
    assert Page(text).of("source") == [{"media": "(prefers-color-scheme: dark)", "srcset": PICTURE.dark}]
    plain = page_of("t", "i", [Section("one", "s", [Picture("data:,", None, 2, 1, "a", "c")])])
    assert not Page(plain).of("source")
    assert (Page(text).of("img")[0]["width"], Page(text).of("img")[0]["height"]) == ("20", "10")


def test_the_frame_takes_nothing_from_elsewhere():
    text = page_of("t", "i", [Section("one", "s", BLOCKS)])
    assert not re.search(r"https?:|url\(|@import", text)
    assert Page(text).of("link") == [{"rel": "icon", "href": "data:,"}]
    assert "prefers-color-scheme: dark" in text and ":focus-visible" in text
