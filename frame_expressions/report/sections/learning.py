"""Sections on the training: PadAug, training curves, the smoothing search, and the ablation."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from frame_expressions.artifacts.parquet import read_parquet, read_provenance
from frame_expressions.artifacts.vocabulary import EXPRESSIONS
from frame_expressions.corpora.faulty_images import read_faulty_images, without_faulty_images
from frame_expressions.corpora.image_sets import HoldoutSettings, read_image_sets
from frame_expressions.encoders.preprocessing import centre_crop
from frame_expressions.report.ablation_summary import summarise
from frame_expressions.report.page import Block, Command, Picture, Pictures, Section, Table, Text
from frame_expressions.report.pictures import LIGHT, Theme, draw_figure, figure_picture, png_picture
from frame_expressions.report.plots import draw_smoothing, draw_training
from frame_expressions.report.sections.outcome import window_unit
from frame_expressions.smoothing.smoothing import Smoothing
from frame_expressions.stage1.dataset import ImageDataset
from frame_expressions.stage1.padaug import PadAug, PadAugSettings

NUM_IMAGES = 6
_GAP_PX = 8
_TRAINING_IN = 4.2


def padaug_section(
    image_sets: list[dict] | None,
    holdout: dict,
    padaug: dict,
    stored_px: int,
    image_px: int,
    seed: int,
    faulty_images: Path | None = None,
) -> Section:
    """Training images with and without PadAug's bars.

    image_sets: empty if Stage I was not trained. faulty_images: the table of those that it left out.
    """
    if not image_sets:
        text = "Stage I was not trained, because weights were imported, so there are no training images to show."
        return Section("padaug", "PadAug", [Text(text)])
    rng = np.random.default_rng(seed)
    images, labels = _some_images(image_sets, holdout, faulty_images, stored_px, rng)
    shown = centre_crop(images.permute(0, 3, 1, 2), image_px)  # [6, 3, P, P]
    # All images get bars here; in training only a share of them does.
    paint = PadAug(PadAugSettings(**padaug | {"probability": 1.0}))
    painted = (paint(shown.float() / 255, torch.Generator().manual_seed(seed)) * 255).round().byte()
    pairs = [_pair(*pair) for pair in zip(shown.numpy(), painted.numpy(), labels, strict=True)]
    low, high = padaug["bar_width"]
    text = (
        "Faces at the edge of a frame have black bars in their crops. PadAug paints such bars on "
        f"{padaug['probability']:.0%} of Stage I's training images, {low:.0%} to {high:.0%} of the side wide. Left: a "
        "training image; right: the same with bars."
    )
    return Section("padaug", "PadAug", [Text(text), Pictures(pairs, least_px=140)])


def _some_images(
    image_sets: list[dict], holdout: dict, faulty_images: Path | None, stored_px: int, rng: np.random.Generator
) -> tuple[torch.Tensor, list[int]]:
    """Training images of all sets, uint8 [6, S, S, 3], and their classes; a class repeats only after all others."""
    found = read_image_sets(image_sets, HoldoutSettings(**holdout))
    found = without_faulty_images(image_sets, found, read_faulty_images(faulty_images))
    training = [images.split == "train" for images in found]
    paths = [path for images, kept in zip(found, training, strict=True) for path in np.array(images.paths)[kept]]
    labels = np.concatenate([images.labels[kept] for images, kept in zip(found, training, strict=True)])
    order = rng.permutation(len(paths))
    earlier = pd.Series(labels[order]).groupby(labels[order]).cumcount().to_numpy()  # images of the same class
    chosen = order[np.argsort(earlier, kind="stable")[:NUM_IMAGES]]
    dataset = ImageDataset([Path(paths[index]) for index in chosen], labels[chosen], stored_px)
    images, classes = zip(*(dataset[number] for number in range(len(dataset))), strict=True)
    return torch.stack(images), list(classes)


def _pair(before: np.ndarray, after: np.ndarray, label: int) -> Picture:
    """Two images uint8 [3, P, P] side by side."""
    gap = np.full((3, before.shape[1], _GAP_PX), 128, np.uint8)
    rgb = np.ascontiguousarray(np.concatenate([before, gap, after], axis=2).transpose(1, 2, 0))
    edges = {"left": after[:, :, 0], "right": after[:, :, -1], "top": after[:, 0], "bottom": after[:, -1]}
    sides = " and ".join(side for side, edge in edges.items() if not edge.any())
    name = EXPRESSIONS[label]
    return png_picture(rgb, f"A training image of {name}, and the same with bars {sides}", f"{name}: bars {sides}")


@dataclass(frozen=True)
class Training:
    """A training of this run: name, history by fold ("" without folds), and the data that its epochs were scored on."""

    name: str
    histories: dict[str, pd.DataFrame]
    scored_on: str

    @property
    def summary(self) -> str:
        """One sentence per history."""
        return " ".join(self._sentence(fold, history) for fold, history in self.histories.items())

    def _sentence(self, fold: str, history: pd.DataFrame) -> str:
        best = history.loc[history["val_macro_f1"].idxmax()]
        name = f"{self.name}, fold {fold}" if fold else self.name
        return f"{name}: {len(history)} epochs, best macro-F1 {best['val_macro_f1']:.4f} in epoch {best['epoch']:.0f}."


def trainings(stage1: pd.DataFrame | None, fusion: dict[str, pd.DataFrame]) -> list[Training]:
    """The trainings of this run. stage1: its history, None if it was not trained. fusion: histories by fold."""
    found = [] if stage1 is None else [Training("Stage I", {"": stage1}, "validation images")]
    return [*found, Training("Stage II, fusion", fusion, "selection frames")] if fusion else found


def curves_section(trained: list[Training], is_stage1_trained: bool, is_fusion_trained: bool) -> Section:
    """Training curves of the stages that were trained in this run."""
    pictures = [
        figure_picture(
            partial(draw_training, histories=training.histories, scored_on=training.scored_on),
            _TRAINING_IN,
            f"Training loss and macro-F1 by epoch. {training.summary}",
            training.summary,
        )
        for training in trained
    ]
    blocks: list[Block] = [Pictures(pictures, least_px=400)] if pictures else []
    if not is_stage1_trained:
        blocks.append(Text("Stage I was not trained: its weights were imported."))
    if not is_fusion_trained:
        blocks.append(Text("The fusion was not trained: its weights were imported."))
    return Section("training", "Training curves", blocks)


def training_figure(trained: list[Training]) -> Figure:
    """The same curves side by side, for Snakemake's own report."""
    width_in = 4.5 * max(len(trained), 1)
    return draw_figure(partial(_draw_side_by_side, trained=trained), _TRAINING_IN, LIGHT, width_in)


def _draw_side_by_side(figure: Figure, theme: Theme, trained: list[Training]) -> None:
    if not trained:
        figure.text(0.5, 0.5, "Nothing was trained: all weights were imported.", ha="center", va="center")
        return
    parts = figure.subfigures(1, len(trained), squeeze=False)[0]
    for part, training in zip(parts, trained, strict=True):
        part.suptitle(training.name)
        draw_training(part, theme, training.histories, training.scored_on)


def smoothing_section(search: Path, submitted: Path, is_mean: bool) -> Section:
    """Macro-F1 of all smoothings tried. is_mean: whether they were tried for the mean of fold models."""
    rows, chosen = read_parquet(search).to_pandas(), Smoothing.read(submitted)
    settings = read_provenance(search)["settings"]
    unit = window_unit(settings["windows_at_fps"])
    fixed = "" if "kinds" in settings else ", fixed beforehand (cross_validation.paper.smoothing)"
    best = rows.groupby("kind", sort=False)["macro_f1"].max()
    summary = ", ".join(f"{kind} {score:.4f}" for kind, score in best.items())
    tried_on = "the held-out tracks of all folds, for the mean of their models" if is_mean else "the selection tracks"
    picture = figure_picture(
        partial(draw_smoothing, search=rows, unit=unit),
        3.2,
        f"Macro-F1 by smoothing window, one line for each kind. The best of each: {summary}.",
        f"Tried on {tried_on}. The best of each kind: {summary}. Applied: {chosen.kind}"
        + ("." if chosen.kind == "none" else f" over {chosen.window_frames} {unit}{fixed}."),
    )
    return Section("smoothing", "Smoothing over time", [picture])


def ablation_section(table: Path | None, method: str) -> Section:
    """The comparisons, if they were made."""
    title = "Ablation"
    if table is None:
        commands = "snakemake --cores 8 ablation\nsnakemake --cores 8 report"
        return Section(
            "ablation",
            title,
            [Text("No ablation has been run. These commands run it and add it to this page:"), Command(commands)],
        )
    found = read_parquet(table).to_pandas()
    summary = summarise(found, method)
    columns = ["macro_f1", "std", "difference", "low", "high", "unsmoothed", "complete", "padded", "padded_unsmoothed"]
    rows = [
        [name, row["varies"], *("-" if pd.isna(row[column]) else f"{row[column]:.4f}" for column in columns)]
        for name, row in summary.iterrows()
    ]
    headers = ["macro-F1", "std", "difference", "from", "to", "unsmoothed", "complete", "padded", "padded, unsmoothed"]
    text = (
        "Each configuration changes one thing in the method. Means over "
        f"{found['seed'].nunique()} seeds, and the mean difference to the method seed by seed, with its 95% interval "
        f"over videos, on {found['num_labelled'].iloc[0]:,} frames; complete: on the "
        f"{found['num_complete'].iloc[0]:,} with both face and audio, which the paper scores; padded: on the "
        f"{found['num_padded'].iloc[0]:,} frames whose crops extend past the frame's edge."
    )
    shown = Table("Macro-F1 of each configuration", ["configuration", "varies", *headers], rows)
    return Section("ablation", title, [Text(text), shown])
