"""Names of tracks, videos and folders, which become names of files, and paths that a workflow can take.

Light on purpose, since every reading of the Snakefile imports it.
"""

import hashlib
import os
import re

LONGEST_NAME = 150
"""Characters of a name. A file's name may have 255, and stages put words before and endings behind it."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def is_name(text: str) -> bool:
    """Whether a file can be named so everywhere: letters, digits, '.', '_' and '-', a letter or digit first."""
    return len(text) <= LONGEST_NAME and _NAME.fullmatch(text) is not None


def plain_name(text: str, longest: int) -> str:
    """A name from any text: other characters become '_', and one that is too long ends in a hash of the whole."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", text)
    plain = plain if plain[:1].isalnum() else f"v{plain}"
    return plain if len(plain) <= longest else f"{plain[: longest - 7]}-{name_hash(text)}"


def name_hash(text: str) -> str:
    """Six characters that tell a name from others, the same in every run; the text need not be UTF-8."""
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:6]


def path_fault(path: str) -> str | None:
    """What keeps a path out of a workflow, as the rest of a sentence; None for one that does no harm."""
    if "{" in path or "}" in path:
        return "has a brace in its path, which Snakemake would take for a wildcard"
    if not path.isprintable():
        return "has a line break or another character in its path that cannot be printed"
    return None
