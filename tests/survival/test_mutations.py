"""A short run of the mutations on clips made here, and that each kind of failure is seen."""

import faulthandler
import os
import subprocess
import time
from multiprocessing import get_context

import numpy as np
import pytest

from frame_expressions.faces.crops import square_crop
from tests.media import make_video
from tests.survival import mutations


def test_fifty_mutations_end_in_artifacts_or_a_sentence(tmp_path):
    # Threads that this process has must not be missed by the one that the stages run in.
    square_crop(np.zeros((90, 90, 3), np.uint8), np.array([20.0, 20.0, 60.0, 60.0]), 0.9, 64)
    figures = mutations.survey(list(range(50)), seed=1, media=None, kept=tmp_path / "kept")
    assert {kind: figures[kind] for kind in mutations.FAILURES} == dict.fromkeys(mutations.FAILURES, 0)
    assert figures["failed"] == [] and figures["accepted"] > 5 and figures["refused"] > 5
    assert figures["accepted"] + figures["refused"] == 50 and not (tmp_path / "kept").exists()


def test_a_mutation_is_the_same_each_time_and_differs_from_its_clip():
    clips = {"a.mp4": bytes(range(256)) * 40, "b.mkv": bytes(5000)}
    made = [mutations.mutated(clips, 3, number) for number in range(40)]
    assert made == [mutations.mutated(clips, 3, number) for number in range(40)]
    assert len({content for _, content in made} - set(clips.values())) > 30


def crash(*_):
    raise KeyError("a bug")


def die(*_):
    faulthandler.disable()  # whose traces would look like a failure of this test's
    os.abort()


def hang(*_):
    time.sleep(60)


def leave_a_process(*_):
    subprocess.Popen(["sleep", "60"])


def fill_memory(*_):
    np.ones(3_000_000_000 // 8)


@pytest.mark.parametrize(
    ("stages", "kind"),
    [(crash, "crashes"), (die, "crashes"), (hang, "hangs"), (leave_a_process, "orphans"), (fill_memory, "crashes")],
)
def test_what_a_stage_must_not_do_is_seen(tmp_path, monkeypatch, stages, kind):
    monkeypatch.setattr(mutations, "LONGEST_S", 2.0)
    own = mutations._stages

    def spoilt(video, folder):
        own(video, folder)
        stages()

    monkeypatch.setattr(mutations, "_stages", spoilt)
    outcome = mutations.survive(make_video(tmp_path / "v.mkv", [0, 4]), tmp_path / "made", get_context("fork"))
    assert list(outcome.failures) == [kind]


def test_an_artifact_that_fails_verification_is_seen(tmp_path, monkeypatch):
    own = mutations._stages

    def spoilt(video, folder):
        own(video, folder)
        (folder / "windows.parquet").write_bytes((folder / "subject.parquet").read_bytes())
        (folder / "frames.parquet").write_bytes((folder / "crops.parquet").read_bytes())

    monkeypatch.setattr(mutations, "_stages", spoilt)
    outcome = mutations.survive(make_video(tmp_path / "v.mkv", [0, 4]), tmp_path / "made", get_context("fork"))
    assert outcome.failures == {"unverified": "frames has not the frames 1 to 2"}


def test_each_failure_counts_and_its_file_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(mutations, "survive", lambda *_: mutations.Outcome(False, {"hangs": "not done"}, 1.0, 1.0))
    figures = mutations.survey([4, 7], seed=1, media=None, kept=tmp_path / "kept")
    assert figures["hangs"] == 2 and figures["failed"] == [4, 7] and len(list((tmp_path / "kept").iterdir())) == 2
