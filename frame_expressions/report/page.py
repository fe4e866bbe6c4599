"""Self-contained HTML pages: blocks that escape their texts, sections made of blocks, and the page around them.

A page needs no script or network, suits phones, desktops and print, and follows the light or dark setting of the
reader's system.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from jinja2 import Environment, StrictUndefined, Template

_ENVIRONMENT = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)


class Block:
    """A part of a section. Its template is rendered with its fields; every text in them is escaped."""

    template: ClassVar[str]

    def __html__(self) -> str:
        return _compiled(self.template).render(vars(self))


@cache
def _compiled(template: str) -> Template:
    return _ENVIRONMENT.from_string(template)


@dataclass(frozen=True)
class Text(Block):
    """A paragraph; the parts between backticks are set as code."""

    text: str
    template = """<p>
{%- for part in text.split("`") %}{% if loop.index is even %}<code>{{ part }}</code>{% else %}{{ part }}{% endif %}
{%- endfor %}</p>"""


@dataclass(frozen=True)
class Link(Block):
    """A link to another file or part of the page."""

    text: str
    href: str
    template = '<p><a href="{{ href }}">{{ text }}</a></p>'


@dataclass(frozen=True)
class Steps(Block):
    """A numbered list; each step is a sequence of blocks."""

    steps: Sequence[Sequence[Block]]
    template = """<ol>
{% for blocks in steps %}
<li>{% for block in blocks %}{{ block }}{% endfor %}</li>
{% endfor %}
</ol>"""


@dataclass(frozen=True)
class Command(Block):
    """Lines to copy."""

    lines: str
    template = '<pre tabindex="0" class="copy">{{ lines }}</pre>'


@dataclass(frozen=True)
class Numbers(Block):
    """A few key figures: (what, value, note) each."""

    figures: Sequence[tuple[str, str, str]]
    template = """<dl class="numbers">
{% for what, value, note in figures %}
<div><dt>{{ what }}</dt><dd class="value">{{ value }}</dd><dd>{{ note }}</dd></div>
{% endfor %}
</dl>"""


@dataclass(frozen=True)
class Table(Block):
    """Rows of text. The first cell of a row is its header and may wrap after an underscore.

    anchors: the anchor that each row's header links to; empty for no links.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    anchors: Sequence[str] = ()
    template = """<div class="wide" role="group" aria-label="{{ caption }}" tabindex="0">
<table>
<caption><span>{{ caption }}</span></caption>
<thead><tr>{% for column in columns %}<th scope="col">{{ column }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in rows %}
<tr><th scope="row">
{%- if anchors %}<a href="#{{ anchors[loop.index0] }}">{% endif %}
{%- for part in row[0].split("_") %}{{ part }}{% if not loop.last %}_<wbr>{% endif %}{% endfor %}
{%- if anchors %}</a>{% endif %}
</th>{% for cell in row[1:] %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
</div>"""


@dataclass(frozen=True)
class Picture(Block):
    """An image with its caption, as data URIs.

    dark: the version for dark screens, None if `light` suits both. least_px: below this width the image is scrolled
    instead of shrunk.
    """

    light: str
    dark: str | None
    width_px: int
    height_px: int
    alt: str
    caption: str
    least_px: int = 0
    template = """<figure>{% if least_px %}
<div class="wide" role="group" aria-label="{{ caption }}" tabindex="0" style="--least: {{ least_px }}px">
{% endif %}<picture>
{% if dark %}
<source media="(prefers-color-scheme: dark)" srcset="{{ dark }}">
{% endif %}
<img src="{{ light }}" width="{{ width_px }}" height="{{ height_px }}" alt="{{ alt }}">
</picture>{% if least_px %}</div>{% endif %}<figcaption>{{ caption }}</figcaption></figure>"""


@dataclass(frozen=True)
class LinkedImage(Block):
    """An image file next to the page, loaded when it is scrolled into view, and linked to at its full size."""

    file: str
    width_px: int
    height_px: int
    alt: str
    template = """<a href="{{ file | urlencode }}"><img src="{{ file | urlencode }}" width="{{ width_px }}"
height="{{ height_px }}" loading="lazy" alt="{{ alt }}"></a>"""


@dataclass(frozen=True)
class Pictures(Block):
    """Up to three images side by side if there is room, none narrower than `least_px`."""

    pictures: Sequence[Picture]
    least_px: int
    template = """<div class="pictures" style="--least: {{ least_px }}px">
{% for picture in pictures %}
{{ picture }}
{% endfor %}
</div>"""


@dataclass(frozen=True)
class Legend(Block):
    """The meaning of colours: (name, colour) each."""

    entries: Sequence[tuple[str, str]]
    template = """<ul class="legend" aria-label="Colours">
{% for name, colour in entries %}
<li><span class="swatch" style="background: {{ colour }}"></span>{{ name }}</li>
{% endfor %}
</ul>"""


@dataclass(frozen=True)
class Folded(Block):
    """Blocks that are folded away until the reader opens them."""

    summary: str
    blocks: Sequence[Block]
    template = """<details><summary>{{ summary }}</summary>
{% for block in blocks %}
{{ block }}
{% endfor %}
</details>"""


@dataclass(frozen=True)
class Listing(Block):
    """Preformatted text."""

    text: str
    template = '<pre tabindex="0">{{ text }}</pre>'


@dataclass(frozen=True)
class Section(Block):
    """A part of the page with an anchor (no spaces), a title, and blocks in order.

    is_listed: whether the navigation of the page links to it.
    """

    anchor: str
    title: str
    blocks: Sequence[Block]
    is_listed: bool = True
    template = """<section aria-labelledby="{{ anchor }}">
<h2 id="{{ anchor }}">{{ title }}</h2>
{% for block in blocks %}
{{ block }}
{% endfor %}
</section>"""


_STYLE = """
:root { color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1b1b; --muted: #595959; --line: #c4c4c4; --field: #f3f3f3; --link: #0047a3; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #15171a; --ink: #e8e8e8; --muted: #b4b4b4; --line: #4d5157; --field: #24272c; --link: #8ab8ff; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; background: var(--paper); color: var(--ink); }
main, nav { padding: 0 1rem; }
main { max-width: var(--width, 62rem); padding-bottom: 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 1.5rem 0 .5rem; }
h2 { font-size: 1.3rem; line-height: 1.25; margin: 0 0 .8rem; overflow-wrap: anywhere; }
p, li, figcaption, summary { max-width: 46rem; overflow-wrap: anywhere; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: 1rem; top: -6rem; padding: .6rem 1rem; background: var(--paper); z-index: 1; }
.skip:focus { top: .5rem; }
nav ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1rem; }
nav a { display: inline-block; padding: .3rem 0; }
section { border-top: 1px solid var(--line); margin-top: 2.5rem; padding-top: 1.5rem; }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 9rem), 1fr)); gap: 1rem;
  margin: 1rem 0; }
.numbers div { background: var(--field); border-radius: .4rem; padding: .8rem 1rem; }
.numbers dt { font-weight: 600; }
.numbers dd { margin: 0; color: var(--muted); font-size: .9rem; }
.numbers .value { color: var(--ink); font-size: 2rem; line-height: 1.3; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 0 0 .3rem; }
caption span { display: inline-block; position: sticky; left: 0; max-width: calc(100vw - 2rem); }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
thead th { vertical-align: bottom; white-space: normal; }
th:first-child { text-align: left; padding-left: 0; }
tbody th { font-weight: 400; }
@media (max-width: 40rem) {
  table { font-size: .9rem; } th, td { padding: .3rem .35rem; } tbody th { white-space: normal; }
}
figure { margin: 1rem 0; }
figcaption { color: var(--muted); font-size: .9rem; }
img { max-width: 100%; height: auto; display: block; }
.wide img { max-width: none; width: max(100%, var(--least)); }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, max(var(--least), 30%)), 1fr));
  gap: 0 1.5rem; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: 0; margin: 1rem 0; }
.swatch { display: inline-block; width: .9em; height: .9em; margin-right: .4em; border-radius: .15em;
  vertical-align: -.05em; }
pre { background: var(--field); padding: .6rem .8rem; margin: .5rem 0; overflow-x: auto; font-size: .85rem; }
.copy { user-select: all; }
details { margin: 1rem 0; }
summary { cursor: pointer; padding: .3rem 0; color: var(--link); }
@media (min-width: 70rem) {
  body { display: grid; grid-template-columns: 15rem minmax(0, 1fr); margin: 0 auto;
    max-width: calc(var(--width, 62rem) + 20rem); }
  nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow-y: auto; padding-top: 1.7rem; }
  nav ul { flex-direction: column; }
}
@media print { nav, .skip { display: none; } section, figure { break-inside: avoid; } }
"""

_PAGE = _ENVIRONMENT.from_string(
    """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ title }}</title>
<link rel="icon" href="data:,">
<style>"""
    + _STYLE
    + """</style>
</head>
<body{% if width_rem %} style="--width: {{ width_rem }}rem"{% endif %}>
<a class="skip" href="#content">Skip to the content</a>
<nav aria-label="Sections"><ul>
{% for section in sections if section.is_listed %}
<li><a href="#{{ section.anchor }}">{{ section.title }}</a></li>
{% endfor %}
</ul></nav>
<main id="content" tabindex="-1">
<h1>{{ title }}</h1>
<p>{{ introduction }}</p>
{% for section in sections %}
{{ section }}
{% endfor %}
</main>
</body>
</html>
"""
)


def page_of(title: str, introduction: str, sections: Sequence[Section], width_rem: int | None = None) -> str:
    """The whole page as HTML. width_rem: maximum width of the content; None for that of text with figures."""
    return _PAGE.render(title=title, introduction=introduction, sections=sections, width_rem=width_rem)
