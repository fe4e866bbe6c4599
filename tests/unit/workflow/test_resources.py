"""The resources that a job requests from a scheduler."""

from types import SimpleNamespace

from frame_expressions.workflow.resources import rising, steady


def test_memory_and_time_rise_with_every_attempt_and_with_the_input(tmp_path):
    video, folder = tmp_path / "a.mp4", tmp_path / "batch"
    video.write_bytes(bytes(3_000_000))
    folder.mkdir()
    for name in "ab":
        (folder / name).write_bytes(bytes(1_000_000))
    given = SimpleNamespace(videos=[str(video), str(video)], faces=str(folder))
    assert [rising(1000)(None, given, attempt) for attempt in (1, 2, 3)] == [1000, 2000, 3000]
    assert rising(10, videos=2.5)(None, given, 2) == 2 * (10 + 15)
    assert rising(10, videos=1, faces=10)(None, given, 1) == 10 + 6 + 20
    assert steady(100, faces=0.6)(None, given) == 102


def test_input_that_is_not_made_yet_counts_nothing(tmp_path):
    given = SimpleNamespace(videos=[str(tmp_path / "none.mp4")], model=[])
    assert steady(100, videos=3, model=2)(None, given) == 100
