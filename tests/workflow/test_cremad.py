"""The whole chain on real clips with SCRFD, Stage I on real faces."""

import numpy as np

from tests.conftest import ROOT
from workflow_scripts.lib.artifacts import read_parquet


def test_real_clips_end_in_a_submission_with_a_face_in_nearly_every_frame(checkout, shared):
    project = checkout("cremad")
    (project.root.parent / "shared").symlink_to(shared)
    project.run("--cores", "2", "submission", "--configfile", str(ROOT / "tests/configs/cremad.yaml"))
    results = project.root / "results"
    status = np.concatenate(
        [read_parquet(path)["status"].to_numpy() for path in sorted((results / "subjects").glob("*_XX.parquet"))]
    )
    assert len(status) == 379
    assert (status == "detected").mean() >= 0.95
    lines = (results / "submission/predictions.txt").read_text().splitlines()
    assert len(lines) == 1 + 379
