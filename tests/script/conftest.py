"""Small artifacts for the scripts' tests."""

import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from frame_expressions.artifacts.feature_shards import write_shard
from frame_expressions.artifacts.parquet import write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import VISUAL_INDEX
from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.encoders.loading import random_encoder, save_encoder
from tests.unit.encoders.networks import VISUAL


@pytest.fixture
def encoder(tmp_path):
    """Folder of a tiny vision encoder."""
    save_encoder(random_encoder(VISUAL, seed=0), tmp_path / "encoder")
    return tmp_path / "encoder"


@pytest.fixture
def jpeg():
    """Encode a plain square of one colour."""

    def encode(colour, side=32):
        stream = io.BytesIO()
        Image.new("RGB", (side, side), colour).save(stream, "JPEG", quality=95)
        return stream.getvalue()

    return encode


@pytest.fixture
def shard(tmp_path):
    """Write one shard of (track -> features [T, D]) and return its two paths; absent rows are NaN."""

    def write(name, features):
        values = np.concatenate(list(features.values())).astype(np.float32)
        frame = np.concatenate([np.arange(1, len(rows) + 1) for rows in features.values()])
        columns = {
            "track": pa.array([track for track, rows in features.items() for _ in rows]),
            "frame": pa.array(frame),
            "time_s": pa.array((frame - 1) / 30),
            "present": pa.array(~np.isnan(values[:, 0])),
            "detected": pa.array(~np.isnan(values[:, 0])),
            "scales": pa.array([[1.0]] * len(values)),
            "padded_share": pa.array(np.zeros(len(values), np.float32)),
        }
        paths = tmp_path / f"{name}.npy", tmp_path / f"{name}.parquet"
        write_shard(*paths, np.nan_to_num(values), VISUAL_INDEX, columns, provenance_of({}))
        return paths

    return write


@pytest.fixture
def annotation(tmp_path):
    """Write an annotation file and return its path."""

    def write(name, rows):
        path = tmp_path / f"{name}.txt"
        path.write_text("\n".join([",".join(EXPRESSIONS), *map(str, rows)]) + "\n")
        return path

    return write


@pytest.fixture
def table(tmp_path):
    """Write columns as a Parquet artifact and return its path."""

    def write(name, columns, schema=None):
        path = tmp_path / f"{name}.parquet"
        write_parquet(pa.table(columns, schema=schema), path, provenance_of({}))
        return path

    return write
