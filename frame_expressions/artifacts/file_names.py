"""Names of tracks, videos and folders, which become file names, and paths that Snakemake accepts.

Imported whenever the Snakefile is parsed, so it must import only the standard library.
"""

import hashlib
import os
import re
import unicodedata

LONGEST_NAME = 150
"""Most characters of a name. A file name may have 255, and stages add prefixes and suffixes."""

_UNUSABLE = ("Cc", "Zl", "Zp", "Cs")
"""Categories of control characters, line and paragraph separators, and of the surrogates for undecodable bytes."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def is_name(text: str) -> bool:
    """Whether `text` is a file name on every system: letters, digits, '.', '_' and '-', a letter or digit first."""
    return len(text) <= LONGEST_NAME and _NAME.fullmatch(text) is not None


def plain_name(text: str, longest: int) -> str:
    """A name made from any text: other characters become '_', and a long name is cut and ends in a hash of `text`."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", text)
    plain = plain if plain[:1].isalnum() else f"v{plain}"
    return plain if len(plain) <= longest else f"{plain[: longest - 7]}-{name_hash(text)}"


def name_hash(text: str) -> str:
    """Six characters of a hash of `text`, the same in every run; the text need not be UTF-8."""
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:6]


def path_fault(path: str) -> str | None:
    """Why Snakemake cannot use a path, as the rest of a sentence; None for a usable path."""
    if "{" in path or "}" in path:
        return "has a brace in its path, which Snakemake would read as a wildcard"
    if any(unicodedata.category(character) in _UNUSABLE for character in path):
        return "has a line break or a control character in its path, or bytes that are not UTF-8"
    return None
