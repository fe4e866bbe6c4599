"""What an invocation is for."""

import copy

import pytest
import yaml

from frame_expressions.runtime.errors import InputError
from frame_expressions.workflow.run import CHECK, TRAIN, Run, start
from tests.conftest import ROOT

SCHEMA = ROOT / "config.schema.yaml"


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return yaml.safe_load((ROOT / "config.yaml").read_text())


def test_the_demonstration_trains(config):
    run = start(config, SCHEMA, ["snakemake", "--cores", "8", "submission"], is_main_process=True)
    assert run.mode == TRAIN and run.model is None
    assert len(run.corpus.tracks) == 24
    assert run.quarantine == "results/quarantine.tsv"


def test_predict_needs_videos_under_any_name_of_the_rule(config):
    for target in ("predict", "expr_predict"):
        with pytest.raises(InputError, match="predict needs videos; add --config predict_videos=FOLDER"):
            start(copy.deepcopy(config), SCHEMA, ["snakemake", target], is_main_process=True)


@pytest.mark.parametrize("before", ["--directory", "--config", "-d"])
def test_the_value_of_an_option_is_no_target(config, before):
    value = "run=my_predict" if before == "--config" else "my_predict"
    assert start(config, SCHEMA, ["snakemake", before, value, "corpus"], is_main_process=True).mode == TRAIN


def test_a_broken_corpus_stops_every_target_but_check_corpus(config):
    config["corpus"]["layout"] = "affwild2"
    config["imported"]["backbone"] = str(ROOT / "README.md")  # so no images are needed
    with pytest.raises(InputError, match=r"corpus\.root is not set"):
        start(config, SCHEMA, ["snakemake", "submission"], is_main_process=True)
    run = start(config, SCHEMA, ["snakemake", "check_corpus"], is_main_process=True)
    assert run.mode == CHECK and run.corpus is None


def test_a_faulty_configuration_stops_check_corpus_too(config):
    config["crops"]["scales"] = []
    with pytest.raises(InputError, match=r"crops\.scales"):
        start(config, SCHEMA, ["snakemake", "check_corpus"], is_main_process=True)


def test_targets_are_checked_where_they_are_asked_for(config):
    config["fusion"]["head_settings"]["num_fused"] = 100
    start(copy.deepcopy(config), SCHEMA, ["snakemake", "submission"], is_main_process=True)
    with pytest.raises(InputError, match="the ablation's head cross_attention"):
        start(copy.deepcopy(config), SCHEMA, ["snakemake", "ablation"], is_main_process=True)
    start(config, SCHEMA, ["snakemake", "ablation"], is_main_process=False)  # a job of that run


def test_what_is_submitted(config):
    run = Run(TRAIN, config, None)
    assert run.submitted_folds == run.trained_folds == ["official"]
    assert run.submitted_smoothing == "results/smoothing/official/best.json"
    assert run.reported_protocol == "official" and run.trains_stage1
    config["submission"]["models"] = "folds"
    assert run.submitted_folds == [f"cv{number}" for number in range(5)]
    assert run.submitted_smoothing == "results/smoothing/mean/best.json" and run.reported_protocol == "nested"
    assert run.reported_smoothing == [f"results/smoothing/cv{number}/best.json" for number in range(5)]
    config["cross_validation"]["protocol"] = "paper"
    assert run.submitted_folds == [f"paper{number}" for number in range(5)] and run.reported_protocol == "paper"
    assert run.reported_smoothing == ["results/smoothing/paper/best.json"] == [run.submitted_smoothing]
    config["submission"]["models"] = "single"
    config["imported"] |= {"backbone": "b.pt", "gates": "gate"}
    assert run.submitted_folds == run.scored_folds == ["imported"] and run.trained_folds == []
    assert not run.trains_stage1
    config["imported"]["gates"] = ["fold_1", "fold_2"]
    assert run.submitted_folds == ["imported0", "imported1"] and run.trained_folds == []
    assert run.scored_folds == ["imported"] and run.reported_protocol == "imported"
    assert run.submitted_smoothing == "results/smoothing/imported/best.json"
    config["submission"]["models"] = "folds"
    assert run.scored_folds == run.submitted_folds == run.trained_folds == [f"paper{number}" for number in range(5)]
