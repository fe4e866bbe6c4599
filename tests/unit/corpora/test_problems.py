"""Faults, collected instead of raised."""

import pytest

from frame_expressions.corpora.problems import Problem, collecting, problem_of, raise_first, without_clashes
from frame_expressions.corpora.tracks import Track
from frame_expressions.runtime.errors import InputError

ERROR = InputError("The file a.txt (b; c) cannot be read", "fetch it again")


def track(name, video=None, path=None):
    return Track(name, video or name, path or f"{video or name}.mp4", "train", "auto", "a.txt", "", video or name)


def test_a_fault_has_the_two_fields_of_its_error():
    problem = problem_of(ERROR, track="a", file="a.txt")
    assert problem == Problem("error", "The file a.txt (b; c) cannot be read", "fetch it again", "a", "a.txt")


def test_collecting_continues_after_input_errors_only():
    problems = []
    with collecting(problems, severity="warning", track="a"):
        raise ERROR
    assert [(problem.severity, problem.track) for problem in problems] == [("warning", "a")]
    with pytest.raises(KeyError), collecting(problems):
        raise KeyError("a bug")
    raise_first(problems)  # a warning does not stop anything
    with pytest.raises(InputError) as refusal:
        raise_first([*problems, Problem("error", "first", "do it"), Problem("error", "second", "")])
    assert str(refusal.value) == "first; do it."


def test_every_clash_is_found_and_the_first_of_two_is_kept():
    tracks = [
        track("a"),
        track("a", "other"),
        track("b_left", "b"),
        track("b_right", "b"),
        track("c", "b", "elsewhere/b.mp4"),
        track("d", "renamed", "a.mp4"),
        track("bad name"),
    ]
    accepted, problems = without_clashes(tracks)
    assert [found.track for found in accepted] == ["a", "b_left", "b_right"]
    assert [problem.track for problem in problems] == ["a", "c", "d", "bad name"]
    wanted = ["is listed twice", "Two files are named b", "is called both a and renamed", "may hold only letters"]
    assert all(text in problem.what for text, problem in zip(wanted, problems, strict=True))
