"""Which files a user gives, and the digest by which a replaced one is noticed."""

import os
from pathlib import Path

import pytest
import yaml
from snakemake.io import is_flagged

from frame_expressions.workflow.corpus import demo_files
from frame_expressions.workflow.given_files import GivenFiles
from tests.conftest import ROOT


@pytest.fixture
def config():
    return yaml.safe_load((ROOT / "config.yaml").read_text())


@pytest.fixture
def videos(tmp_path):
    """Two videos of different content."""
    paths = [tmp_path / name for name in ("1.mp4", "2.mp4")]
    for path in paths:
        path.write_bytes(path.name.encode())
    return [str(path) for path in paths]


def test_given_files_are_ancient_and_local_and_those_that_rules_make_are_not(config, videos):
    made = [str(demo_files(config)[0]), "results/stage1/backbone/model.safetensors", "results/demo/rafdb/list.txt"]
    pack = "results/models/insightface/models/buffalo_l/det_10g.onnx"
    inputs = GivenFiles(config).inputs([*videos, *made, pack])
    assert inputs == [*videos, *made, pack]
    for flag in ("ancient", "local"):
        assert [is_flagged(path, flag) for path in inputs] == [True, True, False, False, False, True]
    assert GivenFiles(config).content(made) == ""


def test_prediction_makes_no_demonstration(config, videos):
    video = str(demo_files(config)[0])
    config["predict_videos"] = "results/demo"
    assert is_flagged(GivenFiles(config).inputs(video), "ancient")


def test_a_replaced_or_exchanged_file_changes_the_digest_and_a_touched_one_does_not(config, videos):
    before = GivenFiles(config).content(videos)
    os.utime(videos[0], (0, 0))
    assert GivenFiles(config).content(videos) == before
    assert GivenFiles(config).content(videos[::-1]) != before
    Path(videos[0]).write_bytes(b"3.mp4")
    os.utime(videos[0], (0, 0))
    assert GivenFiles(config).content(videos) != before
