"""Figure GPU: visual features and Stage I on a GPU, with a network the size of DINOv2-large, random weights, in bf16.

    python benchmarks/gpu.py [--device cpu --small]

It needs torch with CUDA, transformers, pyarrow and Pillow, and no network. Stage I also needs accelerate and kornia-rs,
and its augmentation kornia; the output says what was skipped. The features are computed by the rule's own code, from
crops on disk to a shard on disk. Their speed is that of the crops that a long shard has in addition to a short one, so
fixed costs of a job (loading and hashing the network) cancel out. The speed of the whole long job is printed as well.
"""

import argparse
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

if importlib.util.find_spec("httpx2") is None and importlib.util.find_spec("httpx"):
    import httpx  # a dependency of huggingface_hub 1, which transformers 5 also works with

    sys.modules["httpx2"] = httpx

try:
    import numpy as np
    import torch
    import transformers
    import yaml
    from torch import nn

    from benchmarks.crops import SCALES, SEEN_PX, STORED_PX, Shard, synthetic_images, write_shard_of_crops
    from benchmarks.measuring import Row, limited, seconds_in_turns, show
    from frame_expressions.encoders.loading import load_encoder, random_encoder, save_encoder
    from frame_expressions.encoders.preprocessing import decode, normalise, to_input
    from frame_expressions.encoders.visual import VisualEncoder, VisualFeatureSettings, decode_crop
    from frame_expressions.networks.device import start_torch
    from frame_expressions.networks.losses import soft_cross_entropy, soft_targets
    from frame_expressions.stage1.heads import make_head
    from frame_expressions.stage1.layer_decay import freeze, parameter_groups
    from frame_expressions.stage1.moe import MoESettings
    from workflow_scripts import dump_visual_features
except ModuleNotFoundError as error:
    raise SystemExit(f"benchmarks/gpu.py needs the Python package {error.name}; install it.") from error

FOLDER = ROOT / "results" / "bench" / "gpu"
NUM_CLASSES = 8
H200_CROPS_PER_S = 2700
"""53 % of the 790 TFLOP/s measured on an H200, at 156 GFLOP per crop."""

WARM_UP_STEPS = 10

DINOV2 = {"model_type": "dinov2", "image_size": 518, "patch_size": 14}
LARGE = DINOV2 | {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16}
TINY = DINOV2 | {"hidden_size": 64, "num_hidden_layers": 12, "num_attention_heads": 2}


def rows(device: str = "cuda", small: bool = False) -> list[Row]:
    """The rows of all figures; no rows if `device` is cuda and torch sees no GPU."""
    if device == "cuda" and not torch.cuda.is_available():
        print("torch sees no GPU: figure GPU is skipped")
        return []
    num_threads = len(os.sched_getaffinity(0))
    start_torch(device, num_threads)
    name = torch.cuda.get_device_name() if device == "cuda" else "processor"
    versions = f"torch {torch.__version__}, CUDA {torch.version.cuda}, transformers {transformers.__version__}"
    print(f"{name}, {versions}, {num_threads} threads", flush=True)
    jpegs = synthetic_images(24 if small else 1024)
    encoder = FOLDER / ("tiny" if small else "large")
    if not (encoder / "model.safetensors").exists():
        save_encoder(random_encoder(TINY if small else LARGE, seed=0), encoder)
    least = H200_CROPS_PER_S if "H200" in name and not small else 0
    found = [
        *visual_rows(device, encoder, jpegs, num_threads, least, small),
        *stage1_rows(device, encoder, jpegs, num_threads, small),
    ]
    shutil.rmtree(FOLDER)  # gigabytes
    return found


def visual_rows(
    device: str, encoder: Path, jpegs: list[bytes], num_threads: int, least: float, small: bool
) -> list[Row]:
    """Speed of the rule, of its network and of the network of transformers on crops in device memory; peak memory."""
    long_shard = write_shard_of_crops([7, 12] if small else [2000, 6000], jpegs, encoder / "crops")
    short_shard = Shard(*(files[:1] for files in (long_shard.tracks, long_shard.crops, long_shard.subjects)))
    dump = partial(_dump, device, encoder, num_threads, 8 if small else 256)
    part = 24 if small else 4096
    _forget_peak(device)
    dump(short_shard)
    peak = _peak_gib(device)
    plain = load_encoder(encoder).to(device=device, dtype=torch.bfloat16)
    shortened = VisualEncoder(
        encoder=load_encoder(encoder), image_px=SEEN_PX, device=device, dtype=torch.bfloat16
    ).encoder
    ways = {size: partial(_forward, shortened, device, size, part) for size in ((8,) if small else (64, 128, 256, 512))}
    best = _fastest(ways, part)
    seconds = seconds_in_turns(
        {
            "long": (partial(dump, long_shard), 1),
            "short": (partial(dump, short_shard), 1),
            "reference": (ways[best], part),
            "plain": (partial(_forward, plain, device, best, part), part),
            "decoding": (partial(_decode, jpegs, num_threads), len(jpegs)),
        }
    )
    ours = (seconds["long"] - seconds["short"]) / (long_shard.num_crops - short_shard.num_crops)
    near = seconds["reference"] / ours
    met = near >= 0.9
    milli = 1000 * ours, None, 1000 * seconds["reference"], None
    return [
        Row("GPU visual features", "ms per crop", *milli, near, ">= 0.9 of the reference", met),
        limited("GPU visual features", 1 / ours, "crops/s", at_least=least),
        _without_target("GPU whole job on the long shard", long_shard.num_crops / seconds["long"], "crops/s"),
        _without_target("GPU network of transformers alone, in memory", 1 / seconds["plain"], "crops/s"),
        _without_target("GPU decoding alone, all threads", 1 / seconds["decoding"], "crops/s"),
        _without_target("GPU peak memory of the features", peak, "GiB"),
        limited("GPU bf16 cosine with the plain network", _cosine(device, encoder, jpegs[:64]), "", at_least=0.999),
    ]


def stage1_rows(device: str, encoder: Path, jpegs: list[bytes], num_threads: int, small: bool) -> list[Row]:
    """Images per second of Stage I's training, relative to the bare step on one batch in device memory."""
    try:
        from frame_expressions.stage1.checkpoint import Checkpoint
        from frame_expressions.stage1.dataset import ImageDataset, RandomCropDataset
        from frame_expressions.stage1.model import Classifier
        from frame_expressions.stage1.training import Execution, TrainingSettings, train
    except ModuleNotFoundError as error:
        print(f"Stage I is skipped: it needs the Python package {error.name}, which is not installed")
        return []
    settings = yaml.safe_load((ROOT / "config.affwild2.yaml").read_text())["stage1"]
    training = settings["training"] | {"epochs": 1}
    steps = 2 * WARM_UP_STEPS if small else 150
    if small:
        training["batch_size"] = 2
    batch_size = training["batch_size"]
    paths = _image_files(jpegs)
    images = [paths[number % len(paths)] for number in range(steps * batch_size)]
    classes = np.arange(len(images)) % NUM_CLASSES
    sets = [
        RandomCropDataset(images, classes, SEEN_PX, settings["augmentation"]["crop_scale"]),
        ImageDataset(images[:NUM_CLASSES], classes[:NUM_CLASSES], STORED_PX),
    ]
    torch.manual_seed(0)
    network = load_encoder(encoder)
    freeze(network, embeddings=settings["frozen_embeddings"], num_blocks=settings["frozen_blocks"])
    head = make_head(settings["head"], network.config.hidden_size, NUM_CLASSES, moe=MoESettings(**settings["moe"]))
    model = Classifier(backbone=network, head=head)
    clock = _Clock(_augmentation(settings))
    checkpoint = Checkpoint(FOLDER / "checkpoint.pt", fingerprint="")
    checkpoint.path.unlink(missing_ok=True)
    _forget_peak(device)
    train(
        model,
        clock,
        *sets,
        SEEN_PX,
        TrainingSettings(**training),
        Execution(device, 0 if small else min(num_threads, 12), checkpoint),
    )
    checkpoint.path.unlink()
    peak = _peak_gib(device)
    ours = clock.seconds_a_step() / batch_size
    bare = _bare_step(model.to(device).train(), device, training)
    for _ in range(WARM_UP_STEPS):
        bare()
    start = time.perf_counter()
    for _ in range(steps - WARM_UP_STEPS):
        bare()
    _finish(device)
    step_alone = (time.perf_counter() - start) / (steps - WARM_UP_STEPS) / batch_size
    figure = f"GPU Stage I at batch {batch_size}"
    return [
        Row(figure, "ms per image", 1000 * ours, None, 1000 * step_alone, None, step_alone / ours, "none", True),
        _without_target(figure, 1 / ours, "images/s"),
        _without_target("GPU peak memory of Stage I", peak, "GiB"),
    ]


def _dump(device: str, encoder: Path, num_threads: int, batch_size: int, shard: Shard) -> None:
    dump_visual_features.run(
        encoder=encoder,
        tracks=shard.tracks,
        crops=shard.crops,
        subjects=shard.subjects,
        features=FOLDER / "features.npy",
        index=FOLDER / "features.parquet",
        settings=VisualFeatureSettings(scales=SCALES, image_px=SEEN_PX, batch_size=batch_size, dtype="bfloat16"),
        device=device,
        num_threads=num_threads,
    )


@torch.inference_mode()
def _forward(network: nn.Module, device: str, size: int, count: int) -> None:
    """The bare network on `count` crops, in batches of `size` in device memory."""
    batch = torch.randn(size, 3, SEEN_PX, SEEN_PX, dtype=torch.bfloat16, device=device)
    for _ in range(count // size):
        network(pixel_values=batch)
    _finish(device)


def _fastest(ways: dict[int, Callable[[], None]], units: int) -> int:
    seconds = seconds_in_turns({size: (work, units) for size, work in ways.items()}, runs=1)
    best = min(seconds, key=seconds.get)
    print(f"the network alone is fastest in batches of {best}", flush=True)
    return best


def _decode(jpegs: list[bytes], num_threads: int) -> None:
    with ThreadPoolExecutor(num_threads) as decoders:
        list(decoders.map(decode_crop, jpegs))


@torch.inference_mode()
def _cosine(device: str, encoder: Path, jpegs: list[bytes]) -> float:
    """Lowest cosine similarity between the features in bf16 and those of the plain network in float32."""
    plain = load_encoder(encoder).to(device)
    crops = torch.tensor(np.stack([decode(jpeg) for jpeg in jpegs])).to(device)
    wanted = plain(pixel_values=to_input(crops, SEEN_PX)).last_hidden_state[:, 0].cpu()
    visual = VisualEncoder(encoder=plain, image_px=SEEN_PX, device=device, dtype=torch.bfloat16)
    (found,) = visual.embed([jpegs], 2)
    return float(torch.cosine_similarity(torch.from_numpy(found), wanted).min())


class _Clock(nn.Module):
    """An augmentation that records when each training step starts."""

    def __init__(self, augmentation: Callable[[torch.Tensor, torch.Generator], torch.Tensor]):
        super().__init__()
        self.augmentation = augmentation
        self.times_s = []

    def forward(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        self.times_s.append(time.perf_counter())
        return self.augmentation(images, generator)

    def seconds_a_step(self) -> float:
        """Mean time from one step to the next, without the first ones."""
        warm = self.times_s[WARM_UP_STEPS:]
        return (warm[-1] - warm[0]) / (len(warm) - 1)


def _augmentation(settings: dict) -> Callable[[torch.Tensor, torch.Generator], torch.Tensor]:
    """Stage I's augmentation, or none if kornia is not installed."""
    try:
        from frame_expressions.stage1.augmentation import Augmentation, AugmentationSettings
    except ModuleNotFoundError as error:
        print(f"Stage I runs without its augmentation: the Python package {error.name} is not installed")
        return lambda images, generator: normalise(images)
    from frame_expressions.stage1.padaug import PadAug, PadAugSettings

    padaug = PadAug(PadAugSettings(**settings["padaug"]))
    return Augmentation(AugmentationSettings(**settings["augmentation"]), padaug)


def _bare_step(model: nn.Module, device: str, training: dict) -> Callable[[], None]:
    """One training step on a batch that stays in device memory."""
    groups = parameter_groups(
        model.backbone,
        model.head,
        **{name: training[name] for name in ("backbone_lr", "head_lr", "layer_decay", "weight_decay")},
    )
    optimizer = torch.optim.AdamW(groups, fused=device == "cuda")
    parameters = [parameter for group in groups for parameter in group["params"]]
    inputs = torch.randn(training["batch_size"], 3, SEEN_PX, SEEN_PX, device=device)
    labels = torch.arange(len(inputs), device=device) % NUM_CLASSES
    targets = soft_targets(labels, NUM_CLASSES, training["label_smoothing"])
    weights = torch.ones(NUM_CLASSES, device=device)

    def step() -> None:
        with torch.autocast(device, dtype=torch.bfloat16):
            logits, auxiliary = model(inputs)
        loss = soft_cross_entropy(logits.float(), targets, weights) + auxiliary
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, training["max_grad_norm"])
        optimizer.step()
        optimizer.zero_grad()

    return step


def _image_files(jpegs: list[bytes]) -> list[Path]:
    paths = [FOLDER / "images" / f"{number:04d}.jpg" for number in range(len(jpegs))]
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    for path, jpeg in zip(paths, jpegs, strict=True):
        path.write_bytes(jpeg)
    return paths


def _finish(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _forget_peak(device: str) -> None:
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _peak_gib(device: str) -> float:
    return torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else 0.0


def _without_target(figure: str, value: float, unit: str) -> Row:
    """A value without a target."""
    return Row(figure, unit, value, None, None, None, None, "none", True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="a small network and little work")
    arguments = parser.parse_args()
    show(rows(arguments.device, arguments.small))


if __name__ == "__main__":
    main()
