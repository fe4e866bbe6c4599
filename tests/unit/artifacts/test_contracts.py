"""docs/contracts.md states what schemas.py and vocabulary.py hold: no column or word more, none less."""

import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from frame_expressions.artifacts import schemas, vocabulary
from tests.conftest import ROOT

SCHEMA_OF = {
    "timeline/{batch}/{video}.parquet": schemas.TIMELINE,
    "frames/{batch}/{video}.parquet": schemas.FRAMES,
    "faces/{batch}/{video}.parquet": schemas.FACES,
    "subjects/{batch}/{track}.parquet": schemas.SUBJECT,
    "crops/{batch}/{track}.parquet": schemas.CROPS,
    "audio_windows/{batch}/{video}.parquet": schemas.AUDIO_WINDOWS,
    "features/visual/{shard}.parquet": schemas.VISUAL_INDEX,
    "features/audio/{shard}.parquet": schemas.AUDIO_INDEX,
    "stage1/history.parquet": schemas.STAGE1_HISTORY,
    "fusion/{fold}/history.parquet": schemas.FUSION_HISTORY,
    "fusion/{fold}/val_logits.parquet": schemas.LABELLED_LOGITS,
    "fusion/{fold}/test_logits.parquet": schemas.LOGITS,
    "predict/{folder}/logits/{shard}/{fold}.parquet": schemas.LOGITS,
    "smoothing/{fold}/search.parquet": schemas.SMOOTHING_SEARCH,
    "evaluation/{protocol}/tracks.parquet": schemas.TRACK_SCORES,
    "ablation/table.parquet": schemas.ABLATION,
    "predict/{folder}/{video}.parquet": schemas.PREDICTIONS,
    "demo/truth.parquet": schemas.DEMO_TRUTH,
}
VOCABULARIES = {name: value for name, value in vars(vocabulary).items() if isinstance(value, tuple)}


def _rows(section):
    """First cell, without backticks, and other cells of each row of the section's table."""
    page = (ROOT / "docs/contracts.md").read_text()
    lines = page.split(f"\n## {section}\n")[1].split("\n## ")[0].splitlines()
    cells = [line.strip("|").split(" | ") for line in lines if line.startswith("| ")][1:]
    return {first.strip(" `"): [cell.strip() for cell in others] for first, *others in cells}


def _type(kind):
    """A type as the page names it."""
    if pa.types.is_fixed_size_list(kind):
        return f"{_type(kind.value_type)}[{kind.list_size}]"
    if pa.types.is_list(kind):
        return f"list of {_type(kind.value_type)}"
    return {"float": "float32", "double": "float64"}.get(str(kind), str(kind))


def test_every_schema_has_a_row_and_every_row_a_schema():
    assert list(_rows("Parquet files")) == list(SCHEMA_OF)
    defined = [schema for schema in vars(schemas).values() if isinstance(schema, pa.Schema)]
    assert all(schema in SCHEMA_OF.values() for schema in defined)
    assert "parquet" not in " ".join(_rows("Other files"))


@pytest.mark.parametrize("file", SCHEMA_OF)
def test_the_page_lists_each_column_with_its_type(file):
    columns, meaning = _rows("Parquet files")[file]
    assert columns == ", ".join(f"`{field.name}` {_type(field.type)}" for field in SCHEMA_OF[file])
    named = {name for name in re.findall(r"`([a-z0-9_]+)`:", meaning) if not name.startswith("_")}
    assert named <= set(SCHEMA_OF[file].names), "the meaning explains a column that is not there"


@pytest.mark.parametrize("name", VOCABULARIES)
def test_the_page_lists_every_word(name):
    (words,) = _rows("Vocabulary")[name]
    assert tuple(re.findall(r"`(\w+)`", words)) == VOCABULARIES[name]
    assert set(_rows("Vocabulary")) == set(VOCABULARIES)


def test_parquet_keeps_every_type(tmp_path):
    for schema in SCHEMA_OF.values():
        pq.write_table(schema.empty_table(), tmp_path / "t.parquet")
        read = pq.read_schema(tmp_path / "t.parquet")
        assert [(field.name, _type(field.type)) for field in read] == [(f.name, _type(f.type)) for f in schema]
