"""What the digest of a file or folder depends on."""

import os

from frame_expressions.workflow.content import BLOCK_BYTES, WHOLE_BYTES, digest_of_times, digests_of


def _digest(path):
    (digest,) = digests_of([path])
    return digest


def test_a_files_content_counts_and_neither_its_name_nor_its_time(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"abc")
    other.write_bytes(b"abc")
    os.utime(other, ns=(0, 0))
    assert _digest(one) == _digest(other) != ""
    other.write_bytes(b"abd")
    assert _digest(one) != _digest(other)


def test_first_and_last_byte_and_size_of_a_large_file_count(tmp_path):
    path = tmp_path / "large"
    content = bytearray(3 * WHOLE_BYTES)
    found = set()
    for changed in (None, 0, len(content) - 1, (len(content) - BLOCK_BYTES) // 3):
        edited = bytearray(content)
        if changed is not None:
            edited[changed] = 1
        path.write_bytes(edited)
        found.add(_digest(path))
    path.write_bytes(content + b"\0")
    assert len(found | {_digest(path)}) == 5


def test_names_sizes_and_content_in_a_folder_count_and_hidden_files_do_not(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/1").write_bytes(b"1")
    before = _digest(tmp_path / "a")
    (tmp_path / "a/.snakemake_timestamp").touch()
    os.utime(tmp_path / "a/b/1", ns=(0, 0))
    assert _digest(tmp_path / "a") == before
    (tmp_path / "a/b/1").write_bytes(b"2")
    edited = _digest(tmp_path / "a")
    (tmp_path / "a/b/1").rename(tmp_path / "a/b/2")
    assert len({before, edited, _digest(tmp_path / "a")}) == 3


def test_the_times_in_a_folder_have_a_digest_of_their_own(tmp_path):
    (tmp_path / "1").write_bytes(b"1")
    before = digest_of_times(tmp_path)
    os.utime(tmp_path / "1", ns=(0, 0))
    assert digest_of_times(tmp_path) != before


def test_what_cannot_be_read_has_none(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert digests_of([tmp_path / "none", tmp_path / "pipe"]) == ["", ""]
