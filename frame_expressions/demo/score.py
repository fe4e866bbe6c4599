"""Score predictions for the demo's test tracks against its hidden truth.

    python -m frame_expressions.demo.score --predictions results/submission/predictions.txt
        --truth results/demo/truth.parquet

Prints the macro-F1 on the test tracks, the macro-F1 that the cues allow (of a predictor that is right wherever the face
or the audio shows the expression and repeats the last one elsewhere), and the accuracy for each combination of cues.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from frame_expressions.artifacts.parquet import read_parquet
from frame_expressions.challenge.scores import macro_f1
from frame_expressions.runtime.errors import InputError


def read_predictions(path: Path) -> pd.DataFrame:
    """The submission file as a table: track, frame (1-based), predicted. Raises InputError for any other file."""
    try:
        # Rows have two fields; the header has nine names.
        rows = pd.read_csv(path, header=None, skiprows=1, names=["image", "predicted"])
        image = rows["image"].str.extract(r"^(?P<track>.+)/(?P<frame>\d+)\.jpg$")
        return pd.DataFrame(
            {"track": image["track"], "frame": image["frame"].astype(int), "predicted": rows["predicted"].astype(int)}
        )
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path} is not a submission file ({error})", "run `snakemake --cores 8 submission` to write one"
        ) from error


@dataclass(frozen=True)
class Scores:
    """Macro-F1 of the predictions and of `reachable`; for each part of the frames, its size and accuracy."""

    macro_f1: float
    reachable_macro_f1: float
    parts: dict[str, tuple[int, float]]


def score(predictions: pd.DataFrame, truth: pd.DataFrame) -> Scores:
    """Score predictions against the truth; rows beyond a track's frames are ignored.

    predictions: track, frame, predicted; truth: track, frame, expression, visual_informative, audio_informative,
    in frame order. Raises InputError if a frame of the truth has no prediction.
    """
    joined = truth.merge(predictions, on=["track", "frame"], how="left", validate="one_to_one")
    missing = joined[joined["predicted"].isna()]
    if len(missing):
        first = missing.iloc[0]
        raise InputError(
            (
                f"{len(missing)} frames of the truth have no prediction, for example frame {first['frame']} of "
                f"{first['track']}"
            ),
            "run `snakemake --cores 8 submission` again: the predictions belong to another corpus",
        )
    seen, heard = joined["visual_informative"], joined["audio_informative"]
    hits = joined["predicted"] == joined["expression"]
    parts = {
        "cue in face and audio": seen & heard,
        "cue in the face only": seen & ~heard,
        "cue in the audio only": ~seen & heard,
        "no cue": ~seen & ~heard,
    }
    return Scores(
        macro_f1(joined["expression"], joined["predicted"]),
        macro_f1(joined["expression"], reachable(joined)),
        {name: (int(part.sum()), float(hits[part].mean()) if part.any() else 0.0) for name, part in parts.items()},
    )


def reachable(truth: pd.DataFrame) -> np.ndarray:
    """The best prediction for each frame that the cues allow, [N] int8.

    A frame with a cue gets its own expression. Any other frame gets that of the last frame with a cue before it in the
    track, or else of the next one after it. A track without any cue is Neutral.
    """
    known = truth["expression"].where(truth["visual_informative"] | truth["audio_informative"])
    tracks = known.groupby(truth["track"], sort=False)
    return tracks.ffill().fillna(tracks.bfill()).fillna(0).to_numpy(dtype=np.int8)


def main() -> None:
    """Print the scores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predictions", type=Path, default=Path("results/submission/predictions.txt"))
    parser.add_argument("--truth", type=Path, default=Path("results/demo/truth.parquet"))
    arguments = parser.parse_args()
    try:
        scores = score(read_predictions(arguments.predictions), read_parquet(arguments.truth).to_pandas())
    except InputError as error:
        sys.exit(f"Error: {error}")
    print(f"test macro-F1 {scores.macro_f1:.4f}")
    print(f"  reachable from the cues {scores.reachable_macro_f1:.4f}")
    for name, (count, hits) in scores.parts.items():
        print(f"  {name:<22} accuracy {hits:.4f} on {count} frames")


if __name__ == "__main__":
    main()
