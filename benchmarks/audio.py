"""Figure 3: audio features of every frame at 30 frames/s, with a network the size of wav2vec2-base and random weights.

    python -m benchmarks.audio [--threads 1]

The unit is one frame, whose window extends half a second to either side. The workflow encodes chunks of 20 s, as in the
authors' code, and averages over each window. There are two peers. One encodes every window separately, as in the
paper's abstract. The other is what people usually run: the same chunks, one after the other through the network of
transformers in float32, then the mean over each window. The features are checked against those of the second peer.
"""

import argparse
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from scipy.signal import lfilter
from transformers import AutoFeatureExtractor, AutoModel

from benchmarks.measuring import Row, compared, limited, on_cores, seconds_in_turns, show
from frame_expressions.artifacts.parquet import write_parquet
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.text import write_json
from frame_expressions.artifacts.vocabulary import AUDIBLE
from frame_expressions.encoders.audio import AudioEncoder, AudioFeatureSettings, chunk_bounds, chunks, window_means
from frame_expressions.encoders.loading import load_encoder, load_feature_extractor, random_encoder, save_encoder
from frame_expressions.media.audio import SAMPLE_RATE, read_audio, write_audio
from frame_expressions.media.audio_windows import audio_windows
from frame_expressions.networks.device import start_torch
from workflow_scripts import dump_audio_features

FOLDER = Path("results/bench/audio")
NUM_THREADS = 2
FPS = 30
HALF_WIDTH_S = 0.5
CHUNK_S = 20
RECORDING_S = 120
PEER_FRAMES = 20
"""Number of windows that the first peer encodes; every window is the same amount of work."""
PEER_CHUNKS = 2
"""Number of chunks that the second peer encodes."""


def rows(num_threads: int = NUM_THREADS) -> list[Row]:
    """Speed relative to both peers and to the bare network, and the error of the features."""
    on_cores(num_threads)
    start_torch("cpu", num_threads)
    recording = _recording(RECORDING_S)
    samples, _ = read_audio(recording)
    bounds = _bounds(samples)
    network = AutoModel.from_pretrained(_encoder()).eval()
    extractor = AutoFeatureExtractor.from_pretrained(_encoder())
    chunk = torch.from_numpy(samples[: CHUNK_S * SAMPLE_RATE])[None]
    part = samples[: PEER_CHUNKS * CHUNK_S * SAMPLE_RATE]
    middle = len(bounds) // 2
    seconds = seconds_in_turns(
        {
            "ours": (partial(_ours, recording, num_threads), len(bounds)),
            "peer": (
                partial(_one_by_one, network, extractor, samples, bounds[middle : middle + PEER_FRAMES]),
                PEER_FRAMES,
            ),
            "chunks": (partial(_plain_chunks, network, extractor, part), PEER_CHUNKS * CHUNK_S * FPS),
            "reference": (partial(_forward, network, chunk), CHUNK_S * FPS),
        }
    )
    furthest = np.abs(_embedded(part, num_threads) - _plain_chunks(network, extractor, part)).max()
    shutil.rmtree(_encoder())  # hundreds of megabytes
    return [
        compared("3 audio features", seconds, "frame", times_peer=20, of_reference=0.9),
        compared(
            "3 audio features, relative to plain chunks",
            {"ours": seconds["ours"], "peer": seconds["chunks"]},
            "frame",
            times_peer=0.95,
            of_reference=None,
        ),
        limited("3 difference from plain chunks", float(furthest), "", at_most=1e-4),
    ]


def growth_work(scale: int) -> Callable[[], object]:
    """Features of a recording that is `scale` times as long."""
    on_cores(NUM_THREADS)
    return partial(_ours, _recording(2 * CHUNK_S * scale), NUM_THREADS)


def _ours(recording: Path, num_threads: int) -> None:
    dump_audio_features.run(
        encoder=_encoder(),
        tracks=["track"],
        audio=[recording],
        windows=[recording.with_suffix(".parquet")],
        features=FOLDER / "features.npy",
        index=FOLDER / "features.parquet",
        settings=AudioFeatureSettings(
            "last4", normalise=True, mode="chunked", chunk_s=CHUNK_S, min_tail_s=1.0, dtype="float32"
        ),
        silence="missing",
        device="cpu",
        num_threads=num_threads,
    )


def _embedded(samples: np.ndarray, num_threads: int) -> np.ndarray:
    """The features of `_ours` before they are stored in float16: [T, D]."""
    audio_encoder = AudioEncoder(
        encoder=load_encoder(_encoder()),
        feature_extractor=load_feature_extractor(_encoder()),
        layers="last4",
        device="cpu",
        dtype=torch.float32,
    )
    bounds = _bounds(samples)
    cut = chunk_bounds(len(samples), CHUNK_S * SAMPLE_RATE, SAMPLE_RATE)
    pieces = chunks(samples, bounds, np.arange(len(bounds)), cut)
    return window_means(audio_encoder, pieces, len(bounds), num_threads)


@torch.inference_mode()
def _one_by_one(network: torch.nn.Module, extractor, samples: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """The first peer: one forward pass per window."""
    features = []
    for start, end in bounds:
        inputs = extractor(samples[start:end], sampling_rate=SAMPLE_RATE, return_tensors="pt")
        states = network(**inputs, output_hidden_states=True).hidden_states
        features.append(torch.stack(states[-4:]).mean(dim=(0, 1, 2)).numpy())
    return np.stack(features)


@torch.inference_mode()
def _forward(network: torch.nn.Module, chunk: torch.Tensor) -> None:
    network(chunk)


@torch.inference_mode()
def _plain_chunks(network: torch.nn.Module, extractor, samples: np.ndarray) -> np.ndarray:
    """The second peer: encode one chunk after the other, then average the hidden frames of each window."""
    hidden, centres = [], []
    for start in range(0, len(samples), CHUNK_S * SAMPLE_RATE):
        part = samples[start : start + CHUNK_S * SAMPLE_RATE]
        inputs = extractor(part, sampling_rate=SAMPLE_RATE, return_tensors="pt")
        states = network(**inputs, output_hidden_states=True).hidden_states
        hidden.append(torch.stack(states[-4:]).mean(dim=(0, 1)).numpy())
        centres.append(start + 200 + 320 * np.arange(len(hidden[-1])))  # a receptive field of 400, a step of 320
    hidden, centres = np.concatenate(hidden), np.concatenate(centres)
    return np.stack([hidden[(centres >= start) & (centres < end)].mean(axis=0) for start, end in _bounds(samples)])


def _encoder() -> Path:
    folder = FOLDER / "encoder"
    if not (folder / "preprocessor_config.json").exists():
        save_encoder(random_encoder({"model_type": "wav2vec2"}, seed=0), folder)
        extractor = {
            "feature_extractor_type": "Wav2Vec2FeatureExtractor",
            "feature_size": 1,
            "sampling_rate": SAMPLE_RATE,
            "padding_value": 0.0,
            "do_normalize": True,
            "return_attention_mask": False,
        }
        write_json(extractor, folder / "preprocessor_config.json")
    return folder


def _recording(seconds: int) -> Path:
    """Noise of varying loudness and colour as FLAC, with its windows in a table next to it."""
    path = FOLDER / f"{seconds}.flac"
    if not path.exists():
        rng = np.random.default_rng(3407)
        noise = lfilter([0.2], [1, -0.8], rng.normal(size=seconds * SAMPLE_RATE))
        loudness = 1 + np.sin(np.arange(len(noise)) / SAMPLE_RATE * 2 * np.pi * 3)
        samples = (2000 * loudness * noise).clip(-32768, 32767).astype(np.int16)
        write_audio(samples, AUDIBLE, path, provenance_of({}))
        bounds = _bounds(samples)
        columns = {
            "frame": pa.array(np.arange(1, len(bounds) + 1), pa.int32()),
            "start_sample": bounds[:, 0],
            "end_sample": bounds[:, 1],
            "audible": np.ones(len(bounds), bool),
        }
        write_parquet(pa.table(columns), path.with_suffix(".parquet"), provenance_of({}))
    return path


def _bounds(samples: np.ndarray) -> np.ndarray:
    """The window of each frame: int64 [T, 2]."""
    time_s = np.arange(len(samples) * FPS // SAMPLE_RATE) / FPS
    return audio_windows(time_s, samples, SAMPLE_RATE, HALF_WIDTH_S)[0]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=NUM_THREADS, help="threads and cores of each side")
    show(rows(parser.parse_args().threads))
