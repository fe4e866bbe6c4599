"""Figure 5: fusion training on 1.5 M rows of (1024 + 1024) features in shards on disk.

The peer holds all features in memory and takes batches from torch's DataLoader. The reference repeats the same
step on a single batch in memory.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice, repeat
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.measuring import Row, added_mib, compared, limited, on_cores, seconds_in_turns, show
from frame_expressions.artifacts.feature_shards import FeatureShards, write_shard
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.schemas import VISUAL_INDEX
from frame_expressions.artifacts.vocabulary import EXPRESSIONS, NUM_CLASSES
from frame_expressions.fusion import training_data
from frame_expressions.fusion.heads import GatedFusion
from frame_expressions.fusion.missing import AUTO, EITHER, MissingSettings
from frame_expressions.fusion.model import FusionModel, HeadSettings
from frame_expressions.fusion.training import FusionSettings, TrainingSettings, train, train_epoch
from frame_expressions.fusion.training_data import Frames, ShuffledBatches
from frame_expressions.networks.device import DTYPES, computes_in
from workflow_scripts import train_fusion

FOLDER = Path("results/bench")
CORES = 2
NUM_FEATURES = 1024
TRACKS, TRACK_ROWS = 545, 2752  # 1,499,840 rows
VALIDATED_EVERY = 24
"""One in this many tracks is a validation track."""
HEAD = {"num_fused": 512, "visual_dropout": 0.2, "audio_dropout": 0.25, "dropout": 0.2}
TRAINING = {"epochs": 1, "lr": 1e-4, "min_lr": 1e-5, "schedule": "per_batch", "weight_decay": 1e-4, "seed": 0}
BATCH = 4096
DTYPE = "bfloat16" if computes_in("bfloat16", "cpu") else "float32"
STEPS = {"ours": 64, "peer": 16, "reference": 32}
"""Steps per turn. Ours starts each turn with an empty buffer, like an epoch of 366 steps, and reads four buffers."""


def rows() -> list[Row]:
    on_cores(CORES)
    torch.set_num_threads(CORES)
    folder = FOLDER / "fusion"
    try:
        corpus = _corpus(folder, TRACKS)
        stored = _training_frames(corpus)
        seconds, differing = _speeds(stored)
        memory = added_mib(_whole_pass, corpus)
    finally:
        shutil.rmtree(folder)
    return [
        compared(f"5 fusion training, {DTYPE}", seconds, "step of 4096 rows", times_peer=3, of_reference=0.9),
        limited("5 peak memory above the interpreter, all rows", memory, "MiB", at_most=2048),
        limited("5 values that differ from features in memory", float(differing), "values", at_most=0),
        limited("5 macro-F1 lost to bfloat16 and blocks", _lost_score(), "macro-F1", at_most=0.01),
    ]


def growth_work(scale: int) -> Callable[[], object]:
    """One epoch of training on about `scale` times 65,536 rows, including statistics and validation."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder = tempfile.TemporaryDirectory(prefix="fusion-", dir=FOLDER)  # deleted with the last reference to it
    corpus = _corpus(Path(folder.name), VALIDATED_EVERY * scale)

    def work(folder: tempfile.TemporaryDirectory = folder) -> None:
        _train(corpus, Path(folder.name) / "made")

    return work


def _speeds(stored: Frames) -> tuple[dict[str, float], int]:
    """Seconds per step, and how many values of the first batches differ from those of the same frames in memory."""
    everything = np.arange(len(stored))
    in_memory = Frames(*stored.features(), stored.labels)

    batches, same_batches = (
        ShuffledBatches(frames, everything, BATCH, np.random.default_rng(0), "cpu") for frames in (stored, in_memory)
    )
    differing = 0
    for (ours, target), (theirs, their_target) in islice(zip(batches, same_batches, strict=True), 20):
        pairs = zip((*ours, target), (*theirs, their_target), strict=True)
        differing += sum(int((mine != other).sum()) for mine, other in pairs)

    weights = torch.ones(NUM_CLASSES)
    model, optimizer, schedule = _made(
        FusionModel(num_classes=NUM_CLASSES, **_sizes(), **HEAD), fused=True if DTYPE != "float32" else None
    )
    scaler, dtype = torch.amp.GradScaler("cpu", enabled=False), DTYPES[DTYPE]
    (one,) = islice(batches, 1)
    peer = _peer(in_memory, weights)
    ways = {
        "ours": lambda: train_epoch(model, optimizer, schedule, scaler, islice(batches, STEPS["ours"]), weights, dtype),
        "peer": lambda: [next(peer) for _ in range(STEPS["peer"])],
        "reference": lambda: train_epoch(
            model, optimizer, schedule, scaler, repeat(one, STEPS["reference"]), weights, dtype
        ),
    }
    return seconds_in_turns({name: (work, STEPS[name]) for name, work in ways.items()}), differing


class _UsualModel(nn.Module):
    """Normalisation and the gate, layer by layer, as in common practice."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2, NUM_FEATURES))
        self.register_buffer("std", torch.ones(2, NUM_FEATURES))
        self.visual_dropout = nn.Dropout(HEAD["visual_dropout"])
        self.audio_dropout = nn.Dropout(HEAD["audio_dropout"])
        self.head = GatedFusion(NUM_FEATURES, NUM_FEATURES, NUM_CLASSES, num_fused=512, dropout=HEAD["dropout"])

    def forward(self, visual, audio, visual_present, audio_present):
        visual = (F.normalize(visual.float(), dim=-1) - self.mean[0]) / self.std[0]
        audio = (F.normalize(audio.float(), dim=-1) - self.mean[1]) / self.std[1]
        visual = torch.where(visual_present[:, None], visual, 0.0)
        audio = torch.where(audio_present[:, None], audio, 0.0)
        return self.head(self.visual_dropout(visual), self.audio_dropout(audio), visual_present, audio_present)[0]


def _peer(frames: Frames, weights: torch.Tensor) -> Iterator[float]:
    """A common training loop, one step at a time, endless.

    The features stay in float16 in memory, as stored: an additional 12 GB of float32 would not fit into 24 GiB. The
    loader runs in this process, which was faster than a worker process.
    """
    dataset = TensorDataset(
        *(torch.from_numpy(array) for array in frames.features()), torch.from_numpy(frames.labels.astype(np.int64))
    )
    loader = DataLoader(dataset, batch_size=BATCH, shuffle=True)
    model, optimizer, schedule = _made(_UsualModel(), fused=None)
    while True:
        for *features, target in loader:
            loss = F.cross_entropy(model(*features), target, weight=weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            yield loss.item()


def _made(model: nn.Module, fused: bool | None) -> tuple:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=1e-4, fused=fused)
    return model.train(), optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10_000, eta_min=1e-5)


def _lost_score() -> float:
    """Macro-F1 of plain training (float32, one buffer) minus that with bfloat16 and blocks."""
    rng = np.random.default_rng(0)
    prototypes = rng.normal(size=(2, NUM_CLASSES, 128))
    frames = [_learnable(rng, prototypes, 200), _learnable(rng, prototypes, 60)]
    scores = []
    for dtype, buffer_bytes in (("float32", training_data.BUFFER_BYTES), ("bfloat16", 2**22)):  # 4 MiB are 8,192 rows
        torch.manual_seed(0)
        sizes = {"head": "gate", "num_visual": 128, "num_audio": 128, "num_classes": NUM_CLASSES}
        model = FusionModel(**sizes, **(HEAD | {"num_fused": 128}))
        with patch.object(training_data, "BUFFER_BYTES", buffer_bytes):
            settings = TrainingSettings(**TRAINING | {"epochs": 4, "batch_size": 512, "lr": 1e-3, "dtype": dtype})
            history = train(model, *frames, settings, device="cpu")
        scores.append(max(row["val_macro_f1"] for row in history))
    return scores[0] - scores[1]


def _learnable(rng: np.random.Generator, prototypes: np.ndarray, num_tracks: int) -> Frames:
    """Tracks of 256 frames with one class per 64 frames; features near the sum of a class and a track prototype."""
    labels = np.repeat(rng.integers(0, NUM_CLASSES, num_tracks * 4), 64)
    track = np.repeat(np.arange(num_tracks), 256)
    features = [
        (0.4 * prototypes[modality][labels] + rng.normal(size=(num_tracks, 128))[track]).astype(np.float32)
        + 2 * rng.standard_normal((len(track), 128), dtype=np.float32)
        for modality in (0, 1)
    ]
    there = np.ones(len(track), bool)
    return Frames(*(array.astype(np.float16) for array in features), there, there, labels.astype(np.int8))


def _sizes() -> dict:
    return {"head": "gate", "num_visual": NUM_FEATURES, "num_audio": NUM_FEATURES}


def _corpus(folder: Path, num_tracks: int, tracks_per_shard: int = 34) -> dict:
    """Arguments of `train_fusion.run` for synthetic shards: noise, one face in fifty absent, one class per track."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((8 * TRACK_ROWS, NUM_FEATURES), dtype=np.float32).astype(np.float16)
    names = [f"track{number:03d}" for number in range(num_tracks)]
    pairs = {
        modality: [
            (folder / f"{modality}{start}.npy", folder / f"{modality}{start}.parquet")
            for start in range(0, num_tracks, tracks_per_shard)
        ]
        for modality in ("visual", "audio")
    }
    for paths in pairs.values():
        for number, (npy, index) in enumerate(paths):
            if npy.exists() and index.exists():
                continue
            held = names[number * tracks_per_shard : (number + 1) * tracks_per_shard]
            count = len(held) * TRACK_ROWS
            starts = rng.integers(0, len(noise) - TRACK_ROWS, len(held))
            features = np.concatenate([noise[start : start + TRACK_ROWS] for start in starts])
            present = rng.random(count) > 0.02
            features[~present] = 0
            frame = np.tile(np.arange(1, TRACK_ROWS + 1, dtype=np.int32), len(held))
            columns = {
                "track": pa.array(np.repeat(held, TRACK_ROWS)),
                "frame": frame,
                "time_s": (frame - 1) / 30,
                "present": present,
                "detected": present,
                "scales": pa.array([[1.0]]).take(np.zeros(count, int)),
                "padded_share": np.zeros(count, np.float32),
            }
            write_shard(npy, index, features, VISUAL_INDEX, columns, provenance_of({}))
    rows = [
        {"track": name, "split": "train", "annotation": "", "label": EXPRESSIONS[number % NUM_CLASSES], "group": name}
        for number, name in enumerate(names)
    ]
    for row in rows[::VALIDATED_EVERY]:
        row["split"] = "validation"
    return {"tracks": rows, **pairs}


def _training_frames(corpus: dict) -> Frames:
    """The frames of the training tracks, opened as in `train_fusion.run`."""
    names = [row["track"] for row in corpus["tracks"] if row["split"] == "train"]
    visual, visual_present = FeatureShards(corpus["visual"]).stacked(names)
    audio, audio_present = FeatureShards(corpus["audio"]).stacked(names)
    labels = np.repeat(np.arange(len(names), dtype=np.int8) % NUM_CLASSES, TRACK_ROWS)
    return Frames(visual, audio, visual_present, audio_present, labels)


def _whole_pass(corpus: dict) -> None:
    torch.set_num_threads(CORES)
    with tempfile.TemporaryDirectory(dir=FOLDER) as made:
        _train(corpus, Path(made))


def _train(corpus: dict, made: Path) -> None:
    train_fusion.run(
        fold="official",
        folds=None,
        **corpus,
        outputs=train_fusion.Outputs(
            model=made / "model.safetensors",
            val_logits=made / "val_logits.parquet",
            history=made / "history.parquet",
            metrics=made / "metrics.json",
        ),
        settings=FusionSettings(
            "gate",
            HeadSettings(**HEAD),
            TrainingSettings(**TRAINING, batch_size=BATCH, dtype=DTYPE),
            MissingSettings(EITHER, AUTO),
        ),
        device="cpu",
        num_threads=CORES,
    )


if __name__ == "__main__":
    show(rows())
