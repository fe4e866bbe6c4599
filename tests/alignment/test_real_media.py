"""Real files against their manifest."""

from tests.alignment import report
from tests.alignment.real_media import Outcome, outcomes


def test_real_files_are_as_their_manifest_says(shared, tmp_path):
    found = list(outcomes(shared, tmp_path))
    assert len(found) >= 30
    assert [some for some in found if not some.right] == []
    refused = [some.outcome for some in found if some.frames is None]
    assert refused and all(sentence.endswith(".") and "; " in sentence for sentence in refused)


def test_a_file_that_differs_is_counted():
    same = {"file": "a.mp4", "damaged": 0, "rotation": "", "shown": "4x2", "shown_expected": "4x2", "outcome": ""}
    right = Outcome(**same, frames=3, frames_expected=3, state="audible", state_expected="audible")
    fewer = Outcome(**same, frames=2, frames_expected=3, state="audible", state_expected="audible")
    mute = Outcome(**same, frames=3, frames_expected=3, state="silent", state_expected="audible")
    assert [some.right for some in (right, fewer, mute)] == [True, False, False]
    assert list(report.real_lines([right, fewer, mute]))[-1] == "3 real files, 2 not as the manifest says"
