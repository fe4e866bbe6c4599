"""Tables, plot, film and list of predicted videos."""

from fractions import Fraction

import av
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import soundfile
from PIL import Image
from scipy.special import softmax

from frame_expressions.artifacts.logits import write_logits
from frame_expressions.artifacts.parquet import read_parquet, write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import SUBJECT
from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.media.clock import UNSHIFTED
from frame_expressions.media.film_writer import write_video
from frame_expressions.media.limits import Limits
from frame_expressions.media.timeline import FrameRow, duration_s, read_last_s, read_times, write_timeline
from frame_expressions.media.video import read_video
from frame_expressions.prediction.frame_table import PROBABILITIES, SUMMARY_COLUMNS
from frame_expressions.runtime.errors import InputError
from frame_expressions.smoothing.smoothing import NO_SMOOTHING, Smoothing
from tests.media import LIMITS, extract_timeline, make_video, times_of
from workflow_scripts import draw_overlay, list_predictions, resample_audio, tabulate_predictions

STAMPS = [0, 4, 8, 20, 24, 28, 32, 36]  # in 1/100 s


@pytest.fixture
def video(tmp_path, request):
    """Eight frames; or the video of another fixture, by its name."""
    if hasattr(request, "param"):
        return request.getfixturevalue(request.param)
    return make_video(tmp_path / "clip.mp4", STAMPS, size=(160, 120))


@pytest.fixture
def turned(tmp_path):
    """A phone that is turned after four frames: eight frames in all."""
    parts = []
    for size in ((160, 120), (120, 160)):
        grey = np.full((*size[::-1], 3), 150, np.uint8)
        path = make_video(tmp_path / "part.ts", STAMPS[:4], "libx264", size=size, draw=lambda _, grey=grey: grey)
        parts.append(path.read_bytes())
    (tmp_path / "clip.ts").write_bytes(b"".join(parts))
    return tmp_path / "clip.ts"


@pytest.fixture
def held(tmp_path):
    """Eight frames of which the last is shown for 2 s."""
    grey = np.full((120, 160, 3), 100, np.uint8)
    write_video(tmp_path / "clip.mp4", ((number / 25, 2.0 if number == 7 else 0.04, grey) for number in range(8)), None)
    return tmp_path / "clip.mp4"


@pytest.fixture
def timeline(tmp_path, video):
    return extract_timeline(video, tmp_path / "timeline.parquet")


@pytest.fixture
def subject(tmp_path):
    """Write a subject file of 8 frames with a box where `status` is not absent."""

    def write(name, status):
        columns = {
            "frame": np.arange(1, 9, dtype=np.int32),
            "time_s": np.array(STAMPS) / 100,
            "xyxy_px": [None if state == "absent" else [10.0, 20.0, 60.0, 70.0] for state in status],
            "status": status,
            "person": [None if state == "absent" else 0 for state in status],
        }
        path = tmp_path / f"{name}.parquet"
        write_parquet(pa.table(columns, schema=SUBJECT), path, provenance_of({"num_persons": 3}))
        return path

    return write


@pytest.fixture
def tabulated(tmp_path, timeline, subject):
    """Run the script on logits by track; returns the table's rows."""

    def run(statuses, logits, smoothing=NO_SMOOTHING, silent=(), filling="alone"):
        tracks = [f"clip.person{number}" for number in range(1, len(statuses) + 1)]
        paths = []
        for number, values in enumerate(logits):
            paths.append(tmp_path / f"logits{number}.parquet")
            of_track = dict(zip(tracks, values, strict=True))
            present = _presence([status[: len(values[0])] for status in statuses], silent)
            write_logits(of_track, paths[-1], provenance_of({"filling": filling}), present)
        tabulate_predictions.run(
            video="clip",
            tracks=tracks,
            logits=paths,
            subjects=[subject(track, status) for track, status in zip(tracks, statuses, strict=True)],
            timeline=timeline,
            smoothing=smoothing,
            table=tmp_path / "clip.parquet",
            csv=tmp_path / "clip.csv",
            plot=tmp_path / "clip.png",
        )
        return read_parquet(tmp_path / "clip.parquet").to_pandas()

    return run


def _presence(statuses, silent=()):
    """Columns of the logits of videos with these face statuses; the audio is silent in some frames, 0 the first."""
    audible = [number not in silent for status in statuses for number in range(len(status))]
    seen = [state != "absent" for status in statuses for state in status]
    face, audio = np.array(seen, bool), np.array(audible, bool)
    return {"face_present": face, "audio_present": audio, "imputed": ~(face | audio)}


ALONE = provenance_of({"filling": "alone"})


def _list(folder, name="clip", path="x/clip.mp4", refused=None, passed_over=None, persons="all"):
    list_predictions.run(
        tables={name: folder / f"{name}.parquet"},
        paths={name: path},
        refused=refused or {},
        passed_over=passed_over or {},
        persons=persons,
        videos=folder / "videos.tsv",
    )


def _logits(classes):
    return np.eye(8, dtype=np.float32)[classes] * 4


SEEN, AWAY = ["detected"] * 8, ["absent"] * 8


def test_a_row_says_all_of_a_frame(tabulated, tmp_path):
    classes = [3, 3, 5, 3, 3, 3, 1, 1]
    status = ["absent", "detected", "interpolated", *SEEN[:5]]
    rows = tabulated([status], [[_logits(classes)]], Smoothing("vote", 3, None))
    assert rows["frame"].tolist() == list(range(1, 9))
    assert rows["time_s"].tolist() == pytest.approx([stamp / 100 for stamp in STAMPS])
    assert rows["face"].tolist() == status
    assert rows["expression"].tolist() == [EXPRESSIONS[number] for number in [3, 3, 3, 3, 3, 3, 1, 1]]
    assert np.allclose(rows[list(PROBABILITIES)], softmax(_logits(classes), axis=1))
    assert np.isnan(rows["x1_px"][0]) and rows["x2_px"][1] == 60
    text = pd.read_csv(tmp_path / "clip.csv")
    assert list(text.columns) == list(rows.columns) and np.allclose(
        text[list(PROBABILITIES)], rows[list(PROBABILITIES)]
    )
    assert Image.open(tmp_path / "clip.png").size[0] > 1000


def test_a_frame_with_neither_face_nor_audio_has_no_prediction(tabulated, timeline, tmp_path):
    status = [*SEEN[:3], *AWAY[:3], *SEEN[:2]]
    rows = tabulated([status], [[_logits([3] * 8)]], silent=[2, 3, 4])
    sources = ["face_and_audio"] * 2 + ["face", "nothing", "nothing", "audio"] + ["face_and_audio"] * 2
    assert rows["predicted_from"].tolist() == sources
    assert rows["expression"].isna().tolist() == [source == "nothing" for source in sources]
    assert np.isnan(rows[list(PROBABILITIES)]).all(axis=1).tolist() == [source == "nothing" for source in sources]
    lines = (tmp_path / "clip.csv").read_text().splitlines()
    assert lines[4] == f"4,0.2,1,{',' * 7},,nothing,absent,,,,"
    _list(tmp_path)
    (row,) = pd.read_csv(tmp_path / "videos.tsv", sep="\t").to_dict("records")
    assert (row["with_face"], row["with_audio"], row["unpredicted"], row["Fear"]) == (0.625, 0.625, 2, 1.0)


@pytest.mark.parametrize("filling", ["nearest_frame", "nearest_feature"])
def test_a_frame_that_takes_features_of_another_says_so(tabulated, timeline, tmp_path, filling):
    status = [*SEEN[:3], *AWAY[:3], *SEEN[:2]]
    rows = tabulated([status], [[_logits([3] * 8)]], silent=[2, 3, 4], filling=filling)
    sources = ["face_and_audio"] * 2 + [filling, "nothing", "nothing", filling] + ["face_and_audio"] * 2
    assert rows["predicted_from"].tolist() == sources
    assert rows["expression"].isna().tolist() == [source == "nothing" for source in sources]  # nothing is invented
    assert np.isnan(rows[list(PROBABILITIES)]).all(axis=1).tolist() == [source == "nothing" for source in sources]
    _list(tmp_path)
    (row,) = pd.read_csv(tmp_path / "videos.tsv", sep="\t").to_dict("records")
    assert (row["with_face"], row["with_audio"], row["unpredicted"], row["Fear"]) == (0.625, 0.625, 2, 1.0)


def test_frames_of_a_video_without_a_complete_one_say_what_they_have(tabulated, timeline):
    status = [*SEEN[:3], *AWAY[:5]]
    rows = tabulated([status], [[_logits([3] * 8)]], silent=[0, 1, 2, 3], filling="nearest_frame")
    assert rows["predicted_from"].tolist() == ["face"] * 3 + ["nothing"] + ["audio"] * 4
    rows = tabulated([status], [[_logits([3] * 8)]], silent=[0, 1, 2, 3], filling="nearest_feature")
    assert rows["predicted_from"].tolist() == ["nearest_feature"] * 3 + ["nothing"] + ["nearest_feature"] * 4


def test_the_smoothing_leaves_out_frames_that_take_features_of_others(tabulated):
    # Frames 3 and 5 are complete; without the others' votes the window of frame 4 holds Anger and Fear: the lower.
    status, logits = SEEN, [[_logits([5, 5, 1, 5, 3, 5, 5, 5])]]
    silent = [0, 1, 3, 5, 6, 7]
    smoothing = Smoothing("vote", 3, None, "exclude")
    rows = tabulated([status], logits, smoothing, silent, "nearest_frame")
    assert rows["expression"].tolist() == [EXPRESSIONS[number] for number in [1, 1, 1, 1, 3, 3, 3, 3]]
    rows = tabulated([status], logits, smoothing, silent)
    assert rows["expression"].tolist() == [EXPRESSIONS[number] for number in [5, 5, 5, 1, 5, 5, 5, 5]]


def test_a_video_with_neither_face_nor_audio_has_no_expression(tabulated, timeline, tmp_path):
    rows = tabulated([AWAY], [[_logits([3] * 8)]], silent=range(8))
    assert rows["expression"].isna().all() and len(rows) == 8
    _list(tmp_path)
    (row,) = pd.read_csv(tmp_path / "videos.tsv", sep="\t").to_dict("records")
    assert row["unpredicted"] == 8 and np.isnan(row["Fear"]) and not isinstance(row["most_frequent"], str)


def test_several_models_are_averaged(tabulated):
    one, other = _logits([0] * 8), 3 * _logits([1] * 8)
    rows = tabulated([SEEN], [[one], [other]])
    assert np.allclose(rows[list(PROBABILITIES)], softmax((one + other) / 2, axis=1), atol=1e-6)


def test_persons_who_are_never_seen_have_no_rows(tabulated):
    rows = tabulated([SEEN, AWAY, SEEN], [[_logits([number] * 8) for number in (1, 2, 3)]])
    assert rows.groupby("person")["expression"].first().to_dict() == {1: "Anger", 3: "Fear"}


def test_a_video_without_faces_is_predicted_from_its_audio(tabulated):
    rows = tabulated([AWAY, AWAY], [[_logits([1] * 8), _logits([2] * 8)]])
    assert rows["person"].unique().tolist() == [1] and set(rows["face"]) == {"absent"}


def test_logits_of_another_length_are_refused(tabulated):
    with pytest.raises(InputError, match=r"hold different frames of clip.person1"):
        tabulated([SEEN], [[_logits([1] * 7)]])


def test_late_frames_have_times_of_their_own(tmp_path, subject):
    stamps_s = [Fraction(0), *(11_000 + Fraction(number, 240) for number in range(1, 8))]
    rows = [FrameRow(stamp, 1 / 240, True, 64, 48) for stamp in stamps_s]
    time_s, _ = write_timeline(rows, UNSHIFTED, tmp_path / "long.parquet", provenance_of({}))
    write_logits({"clip": _logits([3] * 8)}, tmp_path / "logits.parquet", ALONE, _presence([SEEN]))
    tabulate_predictions.run(
        video="clip",
        tracks=["clip"],
        logits=[tmp_path / "logits.parquet"],
        subjects=[subject("clip", SEEN)],
        timeline=tmp_path / "long.parquet",
        smoothing=NO_SMOOTHING,
        table=tmp_path / "clip.parquet",
        csv=tmp_path / "clip.csv",
        plot=tmp_path / "clip.png",
    )
    assert np.abs(pd.read_csv(tmp_path / "clip.csv")["time_s"] - time_s).max() <= 0.5e-6
    lines = (tmp_path / "clip.csv").read_text().splitlines()
    assert lines[2].startswith("2,11000.004167,1,") and lines[3].startswith("3,11000.008333,1,")
    _list(tmp_path)
    assert pd.read_csv(tmp_path / "videos.tsv", sep="\t", dtype=str)["last_frame_s"].tolist() == ["11000.029"]


def test_of_the_logits_of_all_videos_only_its_own_are_read(tmp_path, timeline, subject):
    many = {f"a{number}": np.zeros((5000, 8), np.float32) for number in range(8)}
    path = tmp_path / "logits.parquet"
    write_logits(many | {"clip": _logits([3] * 8)}, path, ALONE, _presence([["absent"] * 40_000, SEEN]))
    stored = bytearray(path.read_bytes())
    stored[4:400] = bytes(396)  # of the first videos: whoever reads them fails
    path.write_bytes(stored)
    tabulate_predictions.run(
        video="clip",
        tracks=["clip"],
        logits=[path],
        subjects=[subject("clip", SEEN)],
        timeline=timeline,
        smoothing=NO_SMOOTHING,
        table=tmp_path / "clip.parquet",
        csv=tmp_path / "clip.csv",
        plot=tmp_path / "clip.png",
    )
    assert set(read_parquet(tmp_path / "clip.parquet")["expression"].to_pylist()) == {"Fear"}


@pytest.fixture
def film(tabulated, tmp_path, video, timeline):
    """The overlay video of a person who is always seen."""
    tabulated([SEEN], [[_logits([4] * 8)]])
    resample_audio.run(
        stream="auto",
        video=video,
        timeline=timeline,
        audio=tmp_path / "clip.flac",
        on_bad_video="stop",
        limits=Limits(**LIMITS),
    )
    path = tmp_path / "film.mp4"
    draw_overlay.run(
        video=video, table=tmp_path / "clip.parquet", timeline=timeline, audio=tmp_path / "clip.flac", output=path
    )
    return path


def test_the_film_keeps_the_videos_frames_times_and_length(film, video, timeline):
    drawn, source = list(read_video(film)), list(read_video(video))
    assert times_of(drawn) == pytest.approx(times_of(source), abs=1e-3)
    assert drawn[0].width_px == 160 and drawn[0].height_px > 120
    inside = np.abs(drawn[5].rgb[30:60, 20:50].astype(int) - source[5].rgb[30:60, 20:50])
    assert inside.mean() < 4
    assert duration_s(np.array(times_of(drawn))) == pytest.approx(duration_s(read_times(timeline)), 1e-2)


def _by_fixture(name):
    return pytest.mark.parametrize("video", [name], indirect=True)


@_by_fixture("turned")
def test_the_film_of_a_video_that_turns_keeps_its_shapes(film, video):
    drawn = list(read_video(film))
    assert {(frame.width_px, frame.height_px) for frame in read_video(video)} == {(160, 120), (120, 160)}
    upright = drawn[6].rgb[:120]
    seen = upright.mean(axis=2) > 80  # the source is grey, the bars are dark
    columns = np.flatnonzero(seen.mean(axis=0) > 0.5)
    assert columns.min() == pytest.approx(35, abs=1) and columns.max() == pytest.approx(124, abs=1)  # 90 of 160 px
    assert not seen[:, :33].any() and not seen[:, 127:].any()


@_by_fixture("held")
def test_the_film_shows_the_last_frame_as_long_as_the_video(film, timeline):
    assert read_last_s(timeline) == pytest.approx(2.0, abs=1e-3)
    length_s = duration_s(read_times(timeline), read_last_s(timeline))
    assert length_s == pytest.approx(2.28, abs=1e-3)
    with av.open(str(film)) as opened:
        for stream in opened.streams:
            assert float(stream.duration * stream.time_base) == pytest.approx(length_s, abs=2e-3)
    with soundfile.SoundFile(film.with_name("clip.flac")) as audio:
        assert audio.frames == round(length_s * audio.samplerate)


def test_a_skipped_video_gives_empty_tables_and_a_film_that_says_why(tmp_path, capsys):
    video = tmp_path / "bad.mp4"
    video.write_bytes(b"no video at all")
    timeline = extract_timeline(video, tmp_path / "timeline.parquet", on_bad_video="skip")
    empty = pa.table({name: [] for name in SUBJECT.names}, SUBJECT)
    write_parquet(empty, tmp_path / "subject.parquet", provenance_of({"num_persons": 0}))
    write_logits({}, tmp_path / "logits.parquet", ALONE, _presence([]))
    made = {"table": tmp_path / "bad.parquet", "csv": tmp_path / "bad.csv", "plot": tmp_path / "bad.png"}
    tabulate_predictions.run(
        video="bad",
        tracks=["bad"],
        logits=[tmp_path / "logits.parquet"],
        subjects=[tmp_path / "subject.parquet"],
        timeline=timeline,
        smoothing=NO_SMOOTHING,
        **made,
    )
    assert len(read_parquet(made["table"])) == 0 and made["plot"].exists()
    draw_overlay.run(
        video=video,
        table=made["table"],
        timeline=timeline,
        audio=tmp_path / "none.flac",
        output=tmp_path / "bad.mkv.mp4",
    )
    (frame,) = read_video(tmp_path / "bad.mkv.mp4")
    assert frame.rgb.max() > 200  # letters
    refused, passed_over = {"you {x}.mp4": "its name has a brace"}, {".srt": 2}
    _list(tmp_path, "bad", str(video), refused=refused, passed_over=passed_over)
    listed = pd.read_csv(tmp_path / "videos.tsv", sep="\t")
    assert listed["frames"].tolist() == [0, 0] and tuple(listed.columns) == SUMMARY_COLUMNS
    assert listed["file"].tolist() == ["you {x}.mp4", str(video)]
    assert listed["skipped"][0] == "its name has a brace"
    assert listed["skipped"][1].startswith("bad.mp4 cannot be opened as a video (Invalid data")
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("0 videos, 0 frames: ") and said[1].startswith("videos skipped: 2, ")
    assert said[2] == "files passed over, since their suffix is no video's: 2 .srt"


def test_the_list_has_shares_for_every_person(tabulated, tmp_path, capsys):
    tabulated([SEEN, [*SEEN[:4], *AWAY[:4]]], [[_logits([1] * 6 + [2] * 2), _logits([5] * 8)]])
    _list(tmp_path)
    rows = pd.read_csv(tmp_path / "videos.tsv", sep="\t").set_index("person")
    assert rows["most_frequent"].to_dict() == {1: "Anger", 2: "Sadness"}
    assert rows["discontinuities"].tolist() == [0, 0] and rows["not_followed"].tolist() == [1, 1]
    assert "videos with more persons than were followed: 1, see not_followed in " in capsys.readouterr().out
    _list(tmp_path, persons="main")
    assert "followed" not in capsys.readouterr().out
    assert rows.loc[1, "Anger"] == 0.75 and rows.loc[2, "with_face"] == 0.5
