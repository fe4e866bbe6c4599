import os

import pytest

from frame_expressions.corpora.tracks import Track, write_tracks
from frame_expressions.runtime.errors import InputError
from frame_expressions.workflow.results_folder import check_results


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Results of a corpus of two videos, in the working directory's folder `results`."""
    monkeypatch.chdir(tmp_path)
    tracks = [Track(name, name, f"videos/{name}.mp4", "train", "auto", "", "Fear", name) for name in ("1", "2")]
    write_tracks(tracks, tmp_path / "results/corpus/tracks.tsv")
    return tmp_path / "results"


def test_another_corpus_is_refused(results):
    with pytest.raises(InputError, match="names none of this run's 2 videos; add the --configfile"):
        check_results(results, ["videos/3.mp4", "others/1.mp4"])


def test_the_same_corpus_grown_shrunk_or_named_by_another_path_is_not(results, tmp_path):
    check_results(results, ["videos/3.mp4", "videos/2.mp4"])
    check_results(results, [str(tmp_path / "videos/1.mp4")])
    (tmp_path / "link").symlink_to("videos")
    check_results(results, ["link/1.mp4"])


def test_nothing_is_known_of_a_first_run_and_of_no_videos(results, tmp_path):
    check_results(results, [])
    check_results(tmp_path / "none", ["videos/3.mp4"])
    (results / "corpus/tracks.tsv").unlink()
    check_results(results, ["videos/3.mp4"])


def test_the_demonstration_may_be_replaced(results):
    track = Track("1", "1", "results/demo/affwild2/batch1/1.mp4", "train", "auto", "", "Fear", "1")
    write_tracks([track], results / "corpus/tracks.tsv")
    check_results(results, ["videos/3.mp4"])


def test_results_that_cannot_be_written_to_are_refused(results, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) != (results, os.W_OK))
    with pytest.raises(InputError, match="results is not writable; fix its permissions"):
        check_results(results, ["videos/1.mp4"])
