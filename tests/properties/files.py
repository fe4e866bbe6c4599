"""Files as strangers send them: whole ones, damaged ones, and bytes that never were one."""

from collections.abc import Sequence

from hypothesis import strategies as st

# What parsers trip over: digits that int() takes and others that it does not, numbers too long for it, paths,
# quotes, line ends, bytes that are no UTF-8.
ODD = [
    *(b"", b"\0", b"\t", b",", b" ", b'"', b"'", b"\n", b"\r", b"\r\n", b"\xff\xfe", b"\xef\xbb\xbf", b"{track}"),
    *("٣".encode(), "²".encode(), b"-1", b"1e9", b"NaN", b"inf", b"9" * 30, b"1" * 5000),
    *(b"../", b"/etc/passwd", b"..", b"a" * 300, b"a/00001.jpg", b"identity@1:1,2,3,4", b"person@0"),
]


def damaged(*whole: bytes) -> st.SearchStrategy[bytes]:
    """One of some files, whole or with up to three places replaced; their lines and odd pieces mixed; or any bytes."""
    places = st.lists(
        st.tuples(st.integers(0, 10_000), st.integers(0, 8), st.sampled_from(ODD) | st.binary(max_size=4)), max_size=3
    )
    pieces = [piece for file in whole for piece in _pieces(file)]
    mixed = st.lists(st.sampled_from([*pieces, *ODD]), max_size=12).map(b"".join)
    return st.builds(_replace, st.sampled_from(whole), places) | mixed | st.binary(max_size=80)


def _pieces(file: bytes) -> Sequence[bytes]:
    return [line + b"\n" for line in file.split(b"\n")] + file.replace(b"\n", b"\t").split(b"\t")


def _replace(file: bytes, places: list[tuple[int, int, bytes]]) -> bytes:
    for place, length, piece in places:
        start = place % (len(file) + 1)
        file = file[:start] + piece + file[start + length :]
    return file
