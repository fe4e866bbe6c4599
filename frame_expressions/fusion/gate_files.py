"""The files of a published gate, all in one folder: its weights, and the statistics of its training features.

    best.pt                                     or another .pt, .pth, .bin or .safetensors, but only one
    train_vis_mean.npy, train_vis_std.npy, train_aud_mean.npy, train_aud_std.npy

These are the names that the method's authors use. A checkpoint may hold the four statistics itself, under the same
names without .npy; the files then need not exist.
Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

import zipfile
from pathlib import Path

from frame_expressions.artifacts.file_names import path_fault

STATISTICS = {
    "train_vis_mean": "visual_normalisation.mean",
    "train_vis_std": "visual_normalisation.std",
    "train_aud_mean": "audio_normalisation.mean",
    "train_aud_std": "audio_normalisation.std",
}
"""Statistics of the L2-normalised training features, and the names of the fusion model's buffers that hold them."""
WEIGHTS = (".pt", ".pth", ".bin", ".safetensors")
_LARGEST_PICKLE = 64_000_000  # bytes; anything larger is left to the job


def gate_files(folder: str) -> list[str]:
    """The existing files of a gate, its weights first, then the statistics in the order of STATISTICS."""
    return [str(path) for path in (*_weights(Path(folder)), *_statistics(Path(folder)))]


def gate_fault(folder: str) -> str | None:
    """What is wrong with the folder of a gate, as a clause that begins with a path; None if it is complete."""
    path = Path(folder)
    if not path.is_dir():
        return f"{folder} {'is not a folder' if path.exists() else 'does not exist'}"
    weights = _weights(path)
    if not weights:
        below = [str(inside) for inside in sorted(path.iterdir()) if inside.is_dir() and _weights(inside)]
        hint = f"; its folders have: {', '.join(below)}" if below else ""
        return f"{folder} has no weights ({', '.join(WEIGHTS[:-1])} or {WEIGHTS[-1]}){hint}"
    if len(weights) > 1:
        return f"{folder} has several files of weights ({', '.join(found.name for found in weights)})"
    if fault := path_fault(str(weights[0])):
        return f"{weights[0]} {fault}"
    found = {file.stem for file in _statistics(path)}
    lacking = [f"{name}.npy" for name in STATISTICS if name not in found]
    if lacking and (found or not _may_hold_statistics(weights[0])):
        return f"{folder} lacks {', '.join(lacking)}"
    return None


def _weights(folder: Path) -> list[Path]:
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in found if path.suffix in WEIGHTS and path.is_file())


def _statistics(folder: Path) -> list[Path]:
    return [path for name in STATISTICS if (path := folder / f"{name}.npy").is_file()]


def _may_hold_statistics(weights: Path) -> bool:
    """Whether a checkpoint names the four statistics; also True if it cannot be read, which the job says better."""
    if weights.suffix == ".safetensors":
        return False
    try:
        with zipfile.ZipFile(weights) as archive:
            pickles = [entry for entry in archive.infolist() if entry.filename.endswith("data.pkl")]
            if any(entry.file_size > _LARGEST_PICKLE for entry in pickles):
                return True
            text = b"".join(archive.read(entry) for entry in pickles)
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return True
    return all(name.encode() in text for name in STATISTICS)
