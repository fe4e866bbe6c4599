"""A small finished run, made by hand, as the report reads it."""

import io
import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image

from frame_expressions.artifacts.logits import write_logits
from frame_expressions.artifacts.parquet import write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.corpora.tracks import Track, write_tracks
from frame_expressions.media.audio import write_audio
from frame_expressions.smoothing.evaluation import EvaluationSettings
from frame_expressions.smoothing.search import SmoothingSearchSettings
from workflow_scripts import evaluate, search_smoothing, write_report

LENGTH, FPS = 80, 20
SPLIT_OF = {"t": "train", "good": "validation", "fair": "validation", "bad": "validation", "test": "test"}
STATE_OF = {"t": "no_audio", "good": "audible", "fair": "audible", "bad": "silent", "test": "audible"}
STATUS = np.repeat(["detected", "interpolated", "absent"], [60, 12, 8])
TRUTH = np.repeat(np.arange(8), LENGTH // 8).astype(np.int8)
NOISE = {"good": 0.1, "fair": 2.0, "bad": 6.0}
ABLATION = {"method": [0.5, 0.6], "head_linear": [0.4, 0.5]}
CONFIG = {"corpus": {"layout": "table"}, "smoothing": {"windows": [3, 9]}, "odd": "<script>alert(1)</script>"}


def make_run(folder: Path, odd: str = "bad") -> dict:
    """Write the artifacts and return what `report` needs of them, by name. odd: another name for the track `bad`."""
    names = {name: odd if name == "bad" else name for name in SPLIT_OF}
    tracks = [
        Track(names[name], names[name], f"{name}.mp4", split, "auto", *_labels(folder, name, split), names[name])
        for name, split in SPLIT_OF.items()
    ]
    write_tracks(tracks, folder / "tracks.tsv")
    for name, state in STATE_OF.items():
        _write_media(folder, names[name], state)
    group_of = {track.track: track.group for track in tracks if track.split != "test"}
    padaug = {"probability": 0.3, "bar_width": [0.03, 0.2], "max_l_area": 0.2, "max_shift": 0.02}
    image_sets = [{"name": "faces", "layout": "table", "root": _write_images(folder)}]
    stage1 = {"image_sets": image_sets, "holdout": {"share": 0.5, "seed": 0}, "padaug": padaug}
    sizes = {"stored_px": 32, "image_px": 28}
    visual = {"resize_px": 32, "image_px": 28}
    evaluation = {"num_resamples": 50, "seed": 1, "label_shift_frames": 0}
    return {
        "tracks": folder / "tracks.tsv",
        **{stage: [folder / stage / "batch"] for stage in ("timelines", "subjects", "audio")},
        "doubt": _write_doubt(folder, [names[name] for name in ("bad", "fair", "test", "good", "t")]),
        "sheets": sorted((folder / "sheets").iterdir()),
        "check": _write_json(folder / "check.json", {"rows": 1234, "tracks": 1, "skipped": {}}),
        "protocol": "official",
        **_write_scores(folder, names, group_of),
        **_write_training(folder),
        "ablation": _write_ablation(folder),
        "method": "method",
        **stage1,
        **sizes,
        **evaluation,
        "group_of": group_of,
        "benchmarks": _write_benchmarks(folder),
        "config": CONFIG | {"stage1": stage1, "encoders": {"visual": visual}, "evaluation": evaluation},
        "page": folder / "report.html",
        "curves": folder / "training_curves.png",
    }


def report(made: dict) -> Path:
    """Write the report of what `make_run` made; returns the page."""
    names = ("protocol", "method", "group_of", "benchmarks", "config", "page", "curves")
    inputs = write_report.Inputs(**{field.name: made[field.name] for field in fields(write_report.Inputs)})
    write_report.run(inputs=inputs, **{name: made[name] for name in names})
    return made["page"]


def _labels(folder: Path, name: str, split: str) -> tuple[str, str]:
    """Annotation and label of a track: the training one has a label for the whole clip."""
    if split != "validation":
        return "", "Fear" if split == "train" else ""
    path = folder / f"{name}.txt"
    path.write_text("\n".join([",".join(EXPRESSIONS), *map(str, TRUTH)]) + "\n")
    return str(path), ""


def _write_media(folder: Path, name: str, state: str) -> None:
    frame, time_s = np.arange(1, LENGTH + 1, dtype=np.int32), np.arange(LENGTH) / FPS
    timeline = pa.table({"frame": frame, "time_s": time_s})
    write_parquet(timeline, folder / "timelines/batch" / f"{name}.parquet", provenance_of({}))
    subject = pa.table({"frame": frame, "status": STATUS})
    write_parquet(subject, folder / "subjects/batch" / f"{name}.parquet", provenance_of({}))
    write_audio(np.zeros(16, np.int16), state, folder / "audio/batch" / f"{name}.flac", provenance_of({}))
    sheet = folder / "sheets" / f"{name}.jpg"
    sheet.parent.mkdir(exist_ok=True)
    Image.new("RGB", (900, 60), "white").save(sheet)


def _write_doubt(folder: Path, names: list[str]) -> Path:
    rows = pd.DataFrame({"track": names, "doubt": np.linspace(0.9, 0.1, len(names)), "num_switches": 2, "num_jumps": 1})
    rows[["absent_share", "interpolated_share", "rival_share"]] = 0.125
    rows.to_csv(folder / "doubt.tsv", sep="\t", index=False)
    return folder / "doubt.tsv"


def _write_scores(folder: Path, names: dict[str, str], group_of: dict[str, str]) -> dict:
    """Logits that name the class but for noise, and what the workflow's own scripts make of them."""
    rng = np.random.default_rng(0)
    values = {names[name]: 2 * np.eye(8)[TRUTH] + rng.normal(scale=s, size=(LENGTH, 8)) for name, s in NOISE.items()}
    count = len(NOISE)
    frames = {
        "face_present": np.tile(STATUS != "absent", count),
        "audio_present": np.ones(LENGTH * count, bool),
        "imputed": np.zeros(LENGTH * count, bool),
        "label": np.tile(TRUTH, count),
        "time_s": np.tile(np.arange(LENGTH) / FPS, count),
        "detected": np.tile(STATUS == "detected", count),
        "padded_share": np.zeros(LENGTH * count),
        "selection": np.ones(LENGTH * count, bool),
        "heldout": np.ones(LENGTH * count, bool),
    }
    logits, best = folder / "fusion/official/val_logits.parquet", folder / "best.json"
    write_logits({name: array.astype(np.float32) for name, array in values.items()}, logits, provenance_of({}), frames)
    search_smoothing.run(
        logits=[logits],
        role="selection",
        table=folder / "search.parquet",
        best=best,
        curve=folder / "curve.png",
        settings=SmoothingSearchSettings(kinds=["mean", "vote"], windows=[3, 9], windows_at_fps=FPS, imputed="include"),
    )
    evaluate.run(
        logits=[logits],
        best=[best],
        group_of=group_of,
        scores=folder / "scores.json",
        tracks=folder / "scores.parquet",
        confusion=folder / "confusion.png",
        settings=EvaluationSettings(num_resamples=50, seed=1, label_shift_frames=0),
        compares_kinds=False,
    )
    return {
        "scores": folder / "scores.json",
        "protocols": [],
        "track_scores": folder / "scores.parquet",
        "logits": [logits],
        "best": [best],
        "search": folder / "search.parquet",
        "submitted": best,
    }


def _write_training(folder: Path) -> dict:
    history = pa.table({"epoch": [1, 2, 3], "train_loss": [2.0, 1.0, 0.5], "val_macro_f1": [0.1, 0.4321, 0.3]})
    paths = folder / "stage1/history.parquet", folder / "fusion/official/history.parquet"
    for path in paths:
        write_parquet(history, path, provenance_of({}))
    metrics = {"val_macro_f1": 0.43214, "num_val_images": 4321, "best_epoch": 2, "num_left_out": {}}
    return {
        "stage1_history": paths[0],
        "faulty_images": None,
        "stage1_metrics": _write_json(folder / "stage1/metrics.json", metrics),
        "fusion_histories": [paths[1]],
    }


def _write_ablation(folder: Path) -> Path:
    rows = [
        {"configuration": name, "varies": "nothing" if name == "method" else "fusion head", "seed": seed}
        | dict.fromkeys(("macro_f1", "macro_f1_unsmoothed", "macro_f1_complete"), score)
        | {"macro_f1_padded": None, "macro_f1_padded_unsmoothed": None, "num_labelled": 240, "num_padded": 0}
        | {"num_complete": 216, "difference_low": -0.2, "difference_high": 0.01}
        for name, scores in ABLATION.items()
        for seed, score in enumerate(scores)
    ]
    table = pa.Table.from_pandas(pd.DataFrame(rows), preserve_index=False)
    write_parquet(table, folder / "ablation.parquet", provenance_of({}))
    return folder / "ablation.parquet"


def _write_images(folder: Path) -> str:
    lines = ["image,expression,split"]
    for number, name in enumerate(EXPRESSIONS):
        stream = io.BytesIO()
        Image.new("RGB", (40, 32), (40 + 20 * number, 120, 200)).save(stream, "PNG")
        (folder / f"image{number}.png").write_bytes(stream.getvalue())
        lines += [f"image{number}.png,{name},train", f"image{number}.png,{name},validation"]
    (folder / "images.csv").write_text("\n".join(lines) + "\n")
    return str(folder / "images.csv")


def _write_benchmarks(folder: Path) -> Path:
    times_s = {
        "crop_faces/a": (2.0, 250.5),
        "crop_faces/b": (4.0, 300.2),
        "crop_faces/c": (9.0, "-"),
        "once": (0.5, "-"),
    }
    for name, (seconds, memory) in times_s.items():
        path = folder / "benchmarks" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:00:00\t{memory}\n")
    return folder / "benchmarks"


def _write_json(path: Path, content: dict) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path
