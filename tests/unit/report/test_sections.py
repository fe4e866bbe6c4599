"""The report of a small run: its numbers are those of the artifacts, and what is missing is said."""

import json
import re
from base64 import b64decode

import numpy as np
import pandas as pd
import pytest
import yaml

from frame_expressions.artifacts.parquet import read_parquet
from frame_expressions.artifacts.provenance import sha256_of
from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.challenge.scores import macro_f1
from frame_expressions.corpora.tracks import read_tracks
from frame_expressions.report.page import Numbers, Picture, Pictures, Table, Text, page_of
from frame_expressions.report.sections.data import corpus_section, doubt_section
from frame_expressions.report.sections.evaluation import read_heldout, scores_section, timelines_section
from frame_expressions.report.sections.learning import (
    ablation_section,
    curves_section,
    padaug_section,
    smoothing_section,
    training_figure,
    trainings,
)
from frame_expressions.report.sections.machine import run_times_section
from frame_expressions.report.sections.outcome import outcome_section
from frame_expressions.runtime.errors import InputError
from frame_expressions.smoothing.search import FixedSmoothingSettings
from tests.html_page import Page
from tests.report_run import ABLATION, LENGTH, STATE_OF, make_run, report
from workflow_scripts import search_smoothing

HOSTILE = '<b>&"x'


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Arguments of a run that was reported, one of its tracks with a name that would be HTML."""
    arguments = make_run(tmp_path_factory.mktemp("run"), odd=HOSTILE)
    report(arguments)
    return arguments


@pytest.fixture(scope="module")
def page(finished):
    return Page(finished["page"].read_text())


@pytest.fixture(scope="module")
def scores(finished):
    return json.loads(finished["scores"].read_text())


def _blocks(section, kind):
    return [block for block in section.blocks if isinstance(block, kind)]


def _texts(section):
    return " ".join(block.text for block in _blocks(section, Text))


def test_the_sections_stand_in_their_order(page):
    assert [re.sub(r"\s+", " ", title) for title in page.text_of("h2")] == [
        "Results",
        "Corpus",
        "The most doubtful tracks",
        "PadAug",
        "Training curves",
        "Smoothing over time",
        "Ablation",
        "Scores by class and track",
        "Timelines",
        "Versions and settings",
        "Run times",
    ]


def test_the_page_opens_with_the_numbers_of_the_artifacts(finished, page, scores):
    figures = page.text_of("dd")[::2]
    best = json.loads(finished["submitted"].read_text())
    assert figures == [
        f"{scores['macro_f1']:.3f}",
        f"{scores['macro_f1_complete']:.3f}",
        f"{scores['macro_f1_unsmoothed']:.3f}",
        best["kind"],
        "1,234",
        "0.432",
    ]
    low, high = scores["macro_f1_interval_95"]
    assert f"95% interval {low:.3f} to {high:.3f} (bootstrap over 3 videos)" in page.text
    assert f"over {best['window_frames']} frames at 20 a second" in page.text
    assert "4,321 validation images, epoch 2" in page.text
    assert scores["num_labelled_complete"] == 3 * 72
    assert "216 labelled frames with both face and audio, which the paper scores" in page.text


def test_validation_scores_come_with_what_they_are_worth(page):
    text = re.sub(r"\s+", " ", page.text)
    assert "macro-F1 0.537 on Aff-Wild2's validation set" in text and "0.391 on the official test set" in text
    assert "in the published work, not in this run" in text
    assert (
        "protocols of cross-validation have not been compared" in text
        and "snakemake --cores 8 cross_validation" in text
    )
    assert "label_shift_frames" not in text.split("Versions and settings")[0]


def _outcome(finished, scores, **changes):
    given = {
        "protocol": "official",
        "scores": scores,
        "submitted": finished["submitted"],
        "check": json.loads(finished["check"].read_text()),
        "num_folds": 1,
        "stage1_metrics": finished["stage1_metrics"],
        "compared": {},
    }
    return outcome_section(**given | changes)


def test_nested_cross_validation_comes_first_where_it_was_run(finished, scores):
    nested = scores | {"macro_f1_mean": 0.25, "macro_f1_std": 0.5, "macro_f1_std_ddof0": 0.125, "macro_f1": 0.375}
    section = _outcome(finished, scores, compared={"nested": nested, "paper": scores, "official": scores})
    (numbers,), (table,) = _blocks(section, Numbers), _blocks(section, Table)
    assert numbers.figures[0][:2] == ("Macro-F1, nested cross-validation", "0.250")
    assert [row[0] for row in table.rows] == ["nested", "paper", "official"]
    assert table.rows[0][2:6] == ["0.2500", "0.5000", "0.1250", "0.3750"]
    assert table.rows[1][3] == "-"  # a single fold
    assert "have not been compared" not in _texts(section)


def test_the_page_says_that_labels_were_shifted(finished, scores):
    shifted = {"provenance": {"settings": {"label_shift_frames": 1}}}
    assert "evaluation.label_shift_frames is 1" in _texts(_outcome(finished, scores | shifted))


def test_the_published_protocol_says_what_was_chosen_where(finished, scores):
    text = _texts(_outcome(finished, scores, protocol="paper"))
    assert "The epoch of each fold was chosen on the same videos that it is scored on" in text
    assert "one smoothing was fixed beforehand for all folds" in text


def test_shifted_labels_are_those_that_were_scored(finished):
    before = read_heldout(finished["logits"], finished["best"], 0)
    after = read_heldout(finished["logits"], finished["best"], 1)
    for name, track in after.items():
        assert track.truth[0] == -1 and (track.truth[1:] == before[name].truth[:-1]).all()


def test_a_fixed_smoothing_is_told_from_a_search(finished, tmp_path):
    files = {"table": tmp_path / "search.parquet", "best": tmp_path / "best.json", "curve": tmp_path / "curve.png"}
    settings = FixedSmoothingSettings(kind="median", window_frames=9, imputed="include")
    search_smoothing.run(logits=finished["logits"], role="heldout", settings=settings, **files)
    (picture,) = _blocks(smoothing_section(files["table"], files["best"], is_mean=True), Picture)
    assert "Applied: median over 9 frames, fixed beforehand" in picture.caption
    assert "on the held-out tracks of all folds" in picture.caption


def test_names_and_settings_are_text(finished, page):
    assert not page.of("script") and not page.of("b")
    assert HOSTILE in page.text
    listing = next(text for text in page.text_of("pre") if "alert" in text)
    assert yaml.safe_load(listing) == finished["config"]


def test_nothing_is_fetched_from_elsewhere(finished, page):
    text = finished["page"].read_text()
    addresses = [value for _, tag in page.tags for name, value in tag.items() if name in ("src", "srcset", "href")]
    assert addresses and all(address.startswith(("data:", "#")) for address in addresses)
    assert not re.search(r"https?:|url\(|@import", text)
    for image in page.of("img"):
        assert image["alt"], image["src"][:60]


def test_the_same_artifacts_give_the_same_bytes(finished, tmp_path):
    again = finished | {"page": tmp_path / "report.html", "curves": tmp_path / "curves.png"}
    report(again)
    for name in ("page", "curves"):
        assert sha256_of(again[name]) == sha256_of(finished[name])


def test_only_run_times_change_the_page_and_they_come_last(finished, tmp_path):
    section = page_of("t", "i", [run_times_section(finished["benchmarks"])])
    before, after = finished["page"].read_text().split('<section aria-labelledby="times">')
    assert after.split("</section>")[0] in section
    assert after.split("</section>")[1].strip().startswith("</main>")
    for time in ("crop_faces", "median (s)"):
        assert time not in before


def test_figures_hold_no_date_and_no_version(page):
    figures = [image["src"].split(",")[1] for image in page.of("img") if "svg" in image["src"][:20]]
    # Two training curves, smoothing, confusion, F1, three timelines.
    assert len(figures) == 8
    for figure in figures:
        assert not re.search(rb"<dc:date>|Matplotlib", b64decode(figure))


def test_corpus_tables_count_what_is_there(finished, page):
    rows = {tuple(row) for row in _table_rows(finished["page"].read_text())}
    assert ("tracks", "1", "3", "1") in rows
    assert ("frames", f"{LENGTH}", f"{3 * LENGTH}", f"{LENGTH}") in rows
    assert ("labelled frames", f"{LENGTH}", f"{3 * LENGTH}", "-") in rows
    assert ("Fear", f"{LENGTH}", "30", "-") in rows  # the training track's label holds for all of its frames
    assert ("Neutral", "0", "30", "-") in rows
    assert ("detected", "75.0%", "75.0%", "75.0%") in rows
    assert ("interpolated", "15.0%", "15.0%", "15.0%") in rows
    assert ("absent", "10.0%", "10.0%", "10.0%") in rows
    assert list(STATE_OF.values()).count("audible") == 3
    assert ("audible", "0", "2", "1") in rows
    assert ("silent (every sample is 0)", "0", "1", "0") in rows
    assert ("no audio that decodes", "1", "0", "0") in rows


def _table_rows(text):
    for row in re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL):
        yield [
            re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        ]


def test_an_audio_file_without_a_state_is_refused(finished, tmp_path):
    (tmp_path / "x.flac").write_bytes(b"not audio")
    tracks = [track for track in read_tracks(finished["tracks"]) if track.split == "test"]
    folders = {name: finished[name][0] for name in ("timelines", "subjects")}
    files = {name: {"test": folder / "test.parquet"} for name, folder in folders.items()}
    with pytest.raises(InputError, match=r"x\.flac cannot be read as FLAC"):
        corpus_section(tracks, files["timelines"], files["subjects"], {"test": tmp_path / "x.flac"})


def test_the_first_three_sheets_are_shown_as_they_are(finished):
    section = doubt_section(finished["doubt"], {path.stem: path for path in finished["sheets"]})
    pictures = _blocks(section, Picture)
    assert [picture.caption.split(":")[0] for picture in pictures] == [HOSTILE, "fair", "test"]
    sheet = next(path for path in finished["sheets"] if path.stem == "fair")
    assert b64decode(pictures[1].light.split(",")[1]) == sheet.read_bytes()
    assert "doubt 0.700, switches 2, jumps 1, absent 12.5%" in pictures[1].alt


def test_padaug_paints_bars_on_one_image_of_each_class(finished):
    names = ("image_sets", "holdout", "padaug", "stored_px", "image_px", "seed")
    (pictures,) = _blocks(padaug_section(**{name: finished[name] for name in names}), Pictures)
    captions = [picture.caption.split(": bars ") for picture in pictures.pictures]
    assert len({name for name, _ in captions}) == 6 and {name for name, _ in captions} <= set(EXPRESSIONS)
    for _, sides in captions:
        assert set(sides.split(" and ")) <= {"left", "right", "top", "bottom"}
    assert all(picture.width_px == 2 * 28 + 8 for picture in pictures.pictures)


def test_the_ablation_is_a_table_of_means_or_a_command(finished):
    (table,) = _blocks(ablation_section(finished["ablation"], "method"), Table)
    method, other = table.rows
    assert method[:4] == ["method", "nothing", f"{np.mean(ABLATION['method']):.4f}", "0.0707"]
    assert other[:2] == ["head_linear", "fusion head"] and other[4:7] == ["-0.1000", "-0.2000", "0.0100"]
    assert other[-1] == "-"
    section = page_of("t", "i", [ablation_section(None, "method")])
    assert "No ablation has been run" in section and "snakemake --cores 8 ablation" in section


def test_f1_by_class_comes_with_intervals_that_hold_it(finished, scores):
    section = _scores_section(finished, scores)
    table, moving = _blocks(section, Table)
    for name, f1, interval, frames in table.rows:
        low, high = map(float, interval.split(" to "))
        assert f1 == f"{scores['f1'][name]:.4f}" and frames == "30"
        assert low - 5e-4 <= scores["f1"][name] <= high + 5e-4
    tracks = read_parquet(finished["track_scores"]).to_pandas().set_index("track")
    moves = (tracks["macro_f1_without"] - scores["macro_f1"]).abs()
    assert moving.rows[0][0] == moves.idxmax() == HOSTILE
    assert moving.rows[0][3] == f"{tracks.loc[HOSTILE, 'macro_f1_without']:.4f}"
    assert moving.rows[0][4].startswith("+")  # without the bad track the score is better


def _scores_section(finished, scores):
    tracks = read_parquet(finished["track_scores"]).to_pandas()
    heldout = read_heldout(finished["logits"], finished["best"], 0)
    return scores_section(scores, tracks, heldout, finished["group_of"], 200, 0)


def test_scores_of_other_logits_are_refused(finished, scores):
    counts = np.array(scores["confusion"])
    counts[0, 0] += 1
    with pytest.raises(InputError, match="have changed since they were scored"):
        _scores_section(finished, scores | {"confusion": counts.tolist()})


def test_held_out_tracks_are_read_with_the_prediction_before_and_after_smoothing(finished, scores):
    heldout = read_heldout(finished["logits"], finished["best"], 0)
    assert list(heldout) == ["good", "fair", HOSTILE]
    truth, before, after = (
        np.concatenate([getattr(track, name) for track in heldout.values()])
        for name in ("truth", "prediction", "smoothed")
    )
    assert macro_f1(truth, before) == pytest.approx(scores["macro_f1_unsmoothed"])
    assert macro_f1(truth, after) == pytest.approx(scores["macro_f1"])


def test_timelines_are_of_the_best_and_the_worst_tracks(finished):
    tracks = read_parquet(finished["track_scores"]).to_pandas()
    heldout = read_heldout(finished["logits"], finished["best"], 0)
    subjects = {name: finished["subjects"][0] / f"{name}.parquet" for name in heldout}
    (pictures,) = _blocks(timelines_section(tracks, heldout, subjects), Pictures)
    captions = [picture.caption for picture in pictures.pictures]
    assert [caption.split(":")[0] for caption in captions] == ["good (best)", "fair (best)", f"{HOSTILE} (worst)"]
    accuracy = tracks.set_index("track").loc[HOSTILE, "accuracy"]
    assert f"{accuracy:.1%} of labelled frames correct, face absent in 10.0% of frames" in captions[-1]


def test_what_imported_weights_take_the_place_of_is_said(finished, scores):
    check = json.loads(finished["check"].read_text())
    skipped = check | {"skipped": {"x": "broken"}}
    outcome = _outcome(finished, scores, protocol="imported", check=skipped, stage1_metrics=None)
    (numbers,) = _blocks(outcome, Numbers)
    assert [what for what, _, _ in numbers.figures][-1] == "Submission"
    assert numbers.figures[-1][2] == "rows of 1 tracks, 1 of them skipped"
    assert "Stage I was not trained" in _texts(outcome) and "fusion model was imported" in _texts(outcome)
    names = ("holdout", "padaug", "stored_px", "image_px", "seed")
    assert "no training images" in _texts(padaug_section([], **{name: finished[name] for name in names}))
    curves = curves_section(trainings(None, {}), is_stage1_trained=False, is_fusion_trained=False)
    assert not _blocks(curves, Pictures)
    assert "Stage I was not trained" in _texts(curves) and "The fusion was not trained" in _texts(curves)
    assert "Nothing was trained" in training_figure([]).texts[0].get_text()


def test_several_folds_are_told_apart(finished, scores):
    history = read_parquet(finished["stage1_history"]).to_pandas()
    trained = trainings(None, {"cv0": history, "cv1": history.head(1)})
    (pictures,) = _blocks(curves_section(trained, is_stage1_trained=False, is_fusion_trained=True), Pictures)
    assert pictures.pictures[0].caption == (
        "Stage II, fusion, fold cv0: 3 epochs, best macro-F1 0.4321 in epoch 2. "
        "Stage II, fusion, fold cv1: 1 epochs, best macro-F1 0.1000 in epoch 1."
    )
    (picture,) = _blocks(smoothing_section(finished["search"], finished["submitted"], is_mean=True), Picture)
    rows = pd.read_parquet(finished["search"])
    assert f"vote {rows.loc[rows['kind'] == 'vote', 'macro_f1'].max():.4f}" in picture.caption
    assert "held-out tracks of all folds" in picture.caption
    outcome = _outcome(finished, scores, protocol="nested", num_folds=5)
    assert "mean of 5 fold models" in _texts(outcome) and "on other videos than those it is scored on" in _texts(
        outcome
    )


def test_run_times_are_summed_by_rule(finished, tmp_path):
    (table,) = _blocks(run_times_section(finished["benchmarks"]), Table)
    assert table.rows == [["crop_faces", "3", "15.0", "4.0", "300"], ["once", "1", "0.5", "0.5", "-"]]
    assert "no run times" in _texts(run_times_section(tmp_path / "nothing"))
