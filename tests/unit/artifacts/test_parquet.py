import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from frame_expressions.artifacts.parquet import read_parquet, read_provenance, write_parquet
from frame_expressions.artifacts.provenance import provenance_of, sha256_of
from frame_expressions.runtime.errors import InputError


def test_a_parquet_file_says_what_made_it_without_paths(tmp_path):
    source = tmp_path / "source.txt"
    source.write_text("abc")
    write_parquet(pa.table({"x": [1, 2]}), tmp_path / "a" / "t.parquet", provenance_of({"scale": 1.2}, [source]))
    stored = read_provenance(tmp_path / "a" / "t.parquet")
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert stored == {"settings": {"scale": 1.2}, "inputs": {"source.txt": abc}}
    assert read_parquet(tmp_path / "a" / "t.parquet").to_pydict() == {"x": [1, 2]}


def test_the_same_content_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_parquet(pa.table({"x": ["a"]}), tmp_path / name / "t.parquet", provenance_of({}))
    assert sha256_of(tmp_path / "one" / "t.parquet") == sha256_of(tmp_path / "two" / "t.parquet")


def test_damaged_and_foreign_files_are_named(tmp_path):
    write_parquet(pa.table({"x": [1] * 1000}), tmp_path / "t.parquet", provenance_of({}))
    cut = tmp_path / "cut.parquet"
    cut.write_bytes((tmp_path / "t.parquet").read_bytes()[:-20])
    with pytest.raises(InputError, match=r"cut\.parquet cannot be read as Parquet"):
        read_parquet(cut)
    pq.write_table(pa.table({"x": [1]}), tmp_path / "foreign.parquet")
    with pytest.raises(InputError, match=r"foreign\.parquet does not say what made it"):
        read_provenance(tmp_path / "foreign.parquet")
