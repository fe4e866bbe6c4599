"""Synthetic crops in the workflow's file formats, for the benchmarks of the encoders."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from frame_expressions.artifacts.parquet import write_parquet, write_rows
from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.media.jpeg import encode_jpeg

SCALES = [0.9, 1.2, 1.5]
STORED_PX, SEEN_PX = 256, 224
JPEG_QUALITY = 95
_SCHEMA = pa.schema(
    [("frame", pa.int32()), ("scale", pa.float32()), ("jpeg", pa.binary()), ("padded_share", pa.float32())]
)


@dataclass(frozen=True)
class Shard:
    """Tracks and their files, in the form that `dump_visual_features` takes."""

    tracks: list[str]
    crops: list[Path]
    subjects: list[Path]

    @property
    def num_crops(self) -> int:
        """Number of crops of all tracks."""
        return sum(map(_num_rows, self.crops))


def synthetic_images(count: int, seed: int = 0) -> list[bytes]:
    """JPEGs with soft shapes and some noise, 20 to 30 kB each, like real faces."""
    rng = np.random.default_rng(seed)
    shapes = rng.integers(0, 256, (count, 12, 12, 3), np.uint8)
    side = (STORED_PX, STORED_PX)
    smooth = [np.asarray(Image.fromarray(shape).resize(side, Image.Resampling.BICUBIC)) for shape in shapes]
    noisy = [np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8) for image in smooth]
    return [encode_jpeg(image, JPEG_QUALITY) for image in noisy]


def write_shard_of_crops(frames_of_tracks: Sequence[int], jpegs: Sequence[bytes], folder: Path) -> Shard:
    """Write tracks of these numbers of frames, with one of `jpegs` per frame and scale. Existing files are kept."""
    shard = Shard([], [], [])
    for number, num_frames in enumerate(frames_of_tracks):
        crops, subject = folder / f"crops_{number}.parquet", folder / f"subject_{number}.parquet"
        shard.tracks.append(f"track{number}")
        shard.crops.append(crops)
        shard.subjects.append(subject)
        if crops.exists() and _num_rows(crops) == num_frames * len(SCALES):
            continue
        frames = np.arange(1, num_frames + 1, dtype=np.int32)
        times = {"frame": frames, "time_s": frames / 30, "status": ["detected"] * num_frames}
        write_parquet(pa.table(times), subject, provenance_of({}))
        rows = (
            {
                "frame": frame,
                "scale": scale,
                "jpeg": jpegs[(len(SCALES) * frame + number + which) % len(jpegs)],
                "padded_share": 0.0,
            }
            for frame in frames.tolist()
            for which, scale in enumerate(SCALES)
        )
        write_rows(rows, crops, _SCHEMA, provenance_of({}))
    return shard


def _num_rows(path: Path) -> int:
    return pq.read_metadata(path).num_rows
