"""`fetch_models` with a local stand-in for the hub, and jobs without any network."""

import json
import shutil
import subprocess
import time

import pytest
import yaml

from frame_expressions.encoders.loading import random_encoder, save_encoder
from tests.conftest import ROOT
from tests.hub import hub

# As facebook/dinov2-large and facebook/wav2vec2-base ship them.
PREPROCESSORS = {
    "visual": {"image_processor_type": "BitImageProcessor", "do_resize": True, "size": {"shortest_edge": 256}},
    "audio": {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "do_normalize": True, "sampling_rate": 16000},
}


@pytest.fixture
def project(checkout, tmp_path):
    """A checkout whose encoders come from a hub, and the folder that the hub serves."""
    models = tmp_path / "hub"
    overlay = {"encoders": {}}
    for modality, encoder in yaml.safe_load((ROOT / "config.yaml").read_text())["encoders"].items():
        save_encoder(random_encoder(encoder["architecture"], seed=1), models / "lab" / modality)
        (models / "lab" / modality / "preprocessor_config.json").write_text(json.dumps(PREPROCESSORS[modality]))
        overlay["encoders"][modality] = {"source": "hub", "hub": f"lab/{modality}", "revision": "main"}
    project = checkout("hub")
    (project.root / "hub.yaml").write_text(yaml.safe_dump(overlay))
    return project, models


def test_both_encoders_come_from_the_hub_with_their_preprocessors(project, tmp_path):
    project, models = project
    with hub(models) as address:
        variables = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"}
        project.run("--cores", "1", "fetch_models", "--configfile", "hub.yaml", variables=variables)
    for modality, shipped in PREPROCESSORS.items():
        made = project.root / "results/models" / modality
        assert json.loads((made / "preprocessor_config.json").read_text()) == shipped
        assert (made / "model.safetensors").stat().st_size == (
            models / "lab" / modality / "model.safetensors"
        ).stat().st_size


def _has_namespaces() -> bool:
    return (
        bool(shutil.which("unshare")) and subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode == 0
    )


@pytest.mark.skipif(not _has_namespaces(), reason="this user may not create a network namespace")
def test_without_a_network_a_job_names_the_rule_to_run_first(project, tmp_path):
    project, _ = project
    started = time.monotonic()
    variables = {"HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "0"}
    encoder = project.snakemake(
        *("--cores", "1", "results/models/audio/model.safetensors", "--configfile", "hub.yaml"),
        through=("unshare", "-n"),
        variables=variables,
    )
    assert encoder.returncode != 0
    assert "Error: lab/audio cannot be loaded" in encoder.stdout
    assert "run `snakemake --cores 1 fetch_models` with the same --configfile on a network" in encoder.stdout
    (project.root / "pack.yaml").write_text("detector: {name: insightface, insightface: {model: buffalo_l}}")
    detector = project.snakemake(
        *("--cores", "1", "results/models/insightface/models/buffalo_l.json", "--configfile", "pack.yaml"),
        through=("unshare", "-n"),
    )
    assert detector.returncode != 0
    assert (
        "Error: the InsightFace pack buffalo_l cannot be fetched (ConnectionError); run `snakemake" in detector.stdout
    )
    assert time.monotonic() - started < 60  # the hub's own client tries for half a minute
