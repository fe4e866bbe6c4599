"""The benchmark of the disk space measures the settings that config.affwild2.yaml ships."""

import yaml

from benchmarks import disk
from benchmarks.measuring import paper_config
from tests.conftest import ROOT


def test_the_papers_settings_are_those_of_the_file():
    config, over = paper_config(), yaml.safe_load((ROOT / "config.affwild2.yaml").read_text())
    assert config["crops"] == over["crops"] == {"scales": [0.9, 1.2, 1.5], "jpeg_quality": 95}
    assert config["encoders"]["visual"]["resize_px"] == over["encoders"]["visual"]["resize_px"] == 256
    assert config["frames"] == yaml.safe_load((ROOT / "config.yaml").read_text())["frames"]


def test_crops_of_a_lower_quality_take_less(shared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    video, model = shared / "media/cremad/1001_DFA_HAP_XX.flv", shared / "models/scrfd_500m.onnx"
    sizes = {quality: [row.ours for row in disk.rows(model, video, quality)] for quality in (None, 90)}
    kept, crops, _ = sizes[None]
    assert 55 < kept < 65 and 45 < crops < 55
    assert sizes[90][1] < 0.75 * crops and abs((kept - crops) - (sizes[90][0] - sizes[90][1])) < 0.1
