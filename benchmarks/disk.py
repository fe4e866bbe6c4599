"""Figure 9: disk space per frame, with crops of 224 px and features of the paper's width.

python -m benchmarks.disk --model SCRFD.onnx [--video VIDEO]
"""

import argparse
import threading
from pathlib import Path

import numpy as np
import yaml

from benchmarks import faces
from benchmarks.measuring import Row, limited, show
from frame_expressions.artifacts.feature_shards import write_shard
from frame_expressions.artifacts.parquet import read_parquet
from frame_expressions.artifacts.schemas import AUDIO_INDEX
from frame_expressions.media.limits import Limits
from workflow_scripts import resample_audio, window_audio

FOLDER = Path("results/bench/disk")
CROP_PX, NUM_FEATURES = 224, 1024


def rows(model: Path, video: Path | None = None) -> list[Row]:
    """Bytes per frame that all stages keep, and the peak size of temporary files."""
    video = video or faces.draw_video(60)
    config = yaml.safe_load(Path("config.yaml").read_text())
    timeline = FOLDER / "timeline.parquet"
    with _Watch() as watch:
        faces.ours(video, model, FOLDER, size_px=CROP_PX)
        resample_audio.run(
            video=video,
            timeline=timeline,
            audio=FOLDER / "audio.flac",
            on_bad_video="stop",
            limits=Limits(**config["execution"]["limits"]),
        )
        window_audio.run(
            audio=FOLDER / "audio.flac",
            timeline=timeline,
            windows=FOLDER / "windows.parquet",
            half_width_s=0.5,
            window_centre="middle",
        )
    num_frames = len(read_parquet(timeline))
    rng = np.random.default_rng(0)
    for modality in ("visual", "audio"):
        values = rng.standard_normal((num_frames, NUM_FEATURES), np.float32)
        columns = {
            "track": np.repeat("track", num_frames),
            "frame": np.arange(1, num_frames + 1, dtype=np.int32),
            "present": np.ones(num_frames, bool),
        }
        write_shard(FOLDER / f"{modality}.npy", FOLDER / f"{modality}.parquet", values, AUDIO_INDEX, columns, {})
    kept = sum(path.stat().st_size for path in FOLDER.iterdir())
    return [
        limited("9 kept on disk", kept / num_frames / 1000, "kB per frame", at_most=40),
        limited("9 peak size of temporary files of one video", watch.peak / kept, "of the kept size", at_most=1),
    ]


class _Watch(threading.Thread):
    """Peak size of the files that this process writes under a temporary name, or has deleted but still holds open."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak = 0
        self._stop_asked = threading.Event()

    def __enter__(self) -> "_Watch":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_asked.set()
        self.join()

    def run(self) -> None:
        """Check the open files of the process twenty times per second."""
        while not self._stop_asked.wait(0.05):
            self.peak = max(self.peak, sum(map(_size_if_temporary, Path("/proc/self/fd").iterdir())))


def _size_if_temporary(handle: Path) -> int:
    try:
        target = str(handle.readlink())
        return handle.stat().st_size if target.endswith((".partial", "(deleted)")) else 0
    except FileNotFoundError:  # closed meanwhile
        return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--video", type=Path)
    arguments = parser.parse_args()
    show(rows(arguments.model, arguments.video))
