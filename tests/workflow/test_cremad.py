"""The whole pipeline on real clips, one of them broken, with SCRFD and with Stage I on real faces."""

import json

import numpy as np
import yaml

from frame_expressions.artifacts.parquet import read_parquet
from tests.conftest import ROOT


def test_real_clips_end_in_a_submission_with_a_face_in_nearly_every_frame(checkout, shared):
    project = checkout("cremad")
    (project.root.parent / "shared").symlink_to(shared)
    table = (ROOT / "tests/configs/cremad.tsv").read_text().replace("../../../shared", str(shared))
    (project.root / "tracks.tsv").write_text(table + "broken\tbroken.mp4\ttest\t\n")
    (project.root / "broken.mp4").write_text("this is no video")
    overlay = {"corpus": {"table": "tracks.tsv"}, "execution": {"on_bad_video": "skip"}}
    (project.root / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    project.run("--cores", "2", "submission", "--configfile", "tests/configs/cremad.yaml", "overlay.yaml")

    results = project.root / "results"
    clips = sorted((results / "subjects").glob("*/1001_DFA_???_XX.parquet"))
    status = np.concatenate([read_parquet(path)["status"].to_numpy() for path in clips])
    assert len(status) == 379
    assert (status == "detected").mean() >= 0.95
    lines = (results / "submission/predictions.txt").read_text().splitlines()
    assert len(lines) == 1 + 379
    skipped = json.loads((results / "submission/check.json").read_text())["skipped"]
    assert list(skipped) == ["broken"] and "broken.mp4" in skipped["broken"]
    _, *refused = (results / "quarantine.tsv").read_text().splitlines()
    assert refused == [f"broken.mp4\textract_frames\t{skipped['broken']}\tInvalid data found when processing input"]
