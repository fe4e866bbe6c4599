"""Figure 2: visual features from crops, with a network the size of DINOv2-small and random weights, on the processor.

The unit is one crop, 256 px stored and 224 px encoded. All sides use the same number of threads.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from transformers import pipeline

from benchmarks.crops import SCALES, SEEN_PX, STORED_PX, Shard, synthetic_images, write_shard_of_crops
from benchmarks.measuring import Row, compared, limited, on_cores, seconds_in_turns, show
from frame_expressions.encoders.loading import load_encoder, random_encoder, save_encoder
from frame_expressions.encoders.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from frame_expressions.encoders.visual import VisualEncoder, VisualFeatureSettings
from frame_expressions.networks.device import computes_in, start_torch
from workflow_scripts import dump_visual_features

FOLDER = Path("results/bench/visual")
NUM_THREADS = 2
SMALL = {
    "model_type": "dinov2",
    "hidden_size": 384,
    "num_hidden_layers": 12,
    "num_attention_heads": 6,
    "image_size": 518,
    "patch_size": 14,
}
FRAMES = [5, 21, 3, 13]
"""Of each track in the shard; no batch ends at the end of a track."""

BATCH_SIZE = 8
DTYPE = "bfloat16" if computes_in("bfloat16", "cpu") else "float32"
PART = 24
"""Number of crops for the sides whose batches are all the same work."""


def rows() -> list[Row]:
    """Speed relative to the pipeline and to the bare network, and the features' difference from the pipeline's."""
    on_cores(NUM_THREADS)
    start_torch("cpu", NUM_THREADS)
    shard = _shard(FRAMES)
    jpegs = _jpegs(shard)
    files = _image_files(jpegs[:PART])
    extractor = pipeline("image-feature-extraction", model=str(_encoder()))
    plain = np.concatenate(extractor(files, pool=True, return_tensors=True))
    in_memory = _fastest_in_memory()
    seconds = seconds_in_turns(
        {
            "ours": (partial(_ours, shard, DTYPE), shard.num_crops),
            "peer": (partial(extractor, files, pool=True), PART),
            "reference": (in_memory, PART),
        }
    )
    exact = _embedded(jpegs[:PART], torch.float32)
    half = _embedded(jpegs[:PART], torch.bfloat16)
    _ours(shard, "bfloat16")
    num_frames = PART // len(SCALES)
    stored = np.load(FOLDER / "features.npy")[:num_frames].astype(np.float32)
    of_frames = plain[: num_frames * len(SCALES)].reshape(num_frames, len(SCALES), -1).mean(axis=1)
    return [
        compared(f"2 visual features, {DTYPE}", seconds, "crop", times_peer=2, of_reference=0.95),
        limited("2 fp32 difference from the pipeline", float(np.abs(exact - plain).max()), "", at_most=1e-4),
        limited("2 bf16 cosine with the pipeline", _least_cosine(half, plain), "", at_least=0.999),
        limited("2 bf16 cosine of the stored frames", _least_cosine(stored, of_frames), "", at_least=0.999),
    ]


def growth_work(scale: int) -> Callable[[], object]:
    """Features of a shard of one track that is `scale` times as long."""
    on_cores(NUM_THREADS)
    return partial(_ours, _shard([32 * scale]), DTYPE)


def _ours(shard: Shard, dtype: str) -> None:
    dump_visual_features.run(
        encoder=_encoder(),
        tracks=shard.tracks,
        crops=shard.crops,
        subjects=shard.subjects,
        features=FOLDER / "features.npy",
        index=FOLDER / "features.parquet",
        settings=VisualFeatureSettings(scales=SCALES, image_px=SEEN_PX, batch_size=BATCH_SIZE, dtype=dtype),
        device="cpu",
        num_threads=NUM_THREADS,
    )


def _embedded(jpegs: list[bytes], dtype: torch.dtype) -> np.ndarray:
    """Crop features [B, D], computed in batches of different sizes."""
    visual = VisualEncoder(encoder=load_encoder(_encoder()), image_px=SEEN_PX, device="cpu", dtype=dtype)
    batches = [jpegs[:1], jpegs[1:4], jpegs[4:]]
    return np.concatenate(list(visual.embed(batches, NUM_THREADS)))


def _fastest_in_memory() -> Callable[[], object]:
    """The bare network on `PART` crops in memory, in the fastest precision and then the fastest batch size."""
    networks = {dtype: load_encoder(_encoder()).to(dtype) for dtype in (torch.float32, torch.bfloat16)}
    ways = {(dtype, BATCH_SIZE): _in_memory(network, BATCH_SIZE) for dtype, network in networks.items()}
    dtype, _ = _fastest(ways)
    ways = {(dtype, size): _in_memory(networks[dtype], size) for size in (4, 8, 12, 24)}
    best = _fastest(ways)
    print("the bare network is fastest in {} and batches of {}".format(*best))
    return ways[best]


def _fastest(ways: dict[tuple, Callable[[], object]]) -> tuple:
    seconds = seconds_in_turns({way: (work, PART) for way, work in ways.items()}, runs=2)
    return min(seconds, key=seconds.get)


def _in_memory(network: torch.nn.Module, size: int) -> Callable[[], object]:
    batch = torch.randn(size, 3, SEEN_PX, SEEN_PX, dtype=network.dtype)

    @torch.inference_mode()
    def work() -> None:
        for _ in range(PART // size):
            network(pixel_values=batch)

    return work


def _encoder() -> Path:
    """Folder of the network, with the image processor of DINOv2 on the hub."""
    folder = FOLDER / "encoder"
    if not (folder / "preprocessor_config.json").exists():
        save_encoder(random_encoder(SMALL, seed=0), folder)
        processor = {
            "image_processor_type": "BitImageProcessor",
            "do_resize": True,
            "size": {"shortest_edge": STORED_PX},
            "resample": 3,
            "do_center_crop": True,
            "crop_size": {"height": SEEN_PX, "width": SEEN_PX},
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": IMAGENET_MEAN,
            "image_std": IMAGENET_STD,
            "do_convert_rgb": True,
        }
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


def _shard(frames_of_tracks: list[int]) -> Shard:
    return write_shard_of_crops(frames_of_tracks, synthetic_images(120), FOLDER / "_".join(map(str, frames_of_tracks)))


def _jpegs(shard: Shard) -> list[bytes]:
    return [jpeg for path in shard.crops for jpeg in pq.read_table(path, columns=["jpeg"])["jpeg"].to_pylist()]


def _image_files(jpegs: list[bytes]) -> list[str]:
    paths = [FOLDER / "images" / f"{number:03d}.jpg" for number in range(len(jpegs))]
    paths[0].parent.mkdir(exist_ok=True)
    for path, jpeg in zip(paths, jpegs, strict=True):
        path.write_bytes(jpeg)
    return [str(path) for path in paths]


def _least_cosine(features: np.ndarray, wanted: np.ndarray) -> float:
    lengths = np.linalg.norm(features, axis=1) * np.linalg.norm(wanted, axis=1)
    return float(((features * wanted).sum(axis=1) / lengths).min())


if __name__ == "__main__":
    show(rows())
