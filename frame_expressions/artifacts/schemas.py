"""The schema of every Parquet file that the workflow writes; docs/contracts.md describes the columns.

Frame numbers are 1-based. Boxes are `xyxy_px`: x1, y1, x2, y2 in px of the upright frame. Tables that pandas builds
use large strings, the others plain ones.
"""

import pyarrow as pa

from frame_expressions.artifacts.vocabulary import EXPRESSIONS, NUM_CLASSES, ROLES

TIMELINE = pa.schema(
    [
        ("frame", pa.int32()),
        ("time_s", pa.float64()),
        ("decoded", pa.bool_()),
        ("width_px", pa.int32()),
        ("height_px", pa.int32()),
    ]
)

FRAMES = pa.schema([("frame", pa.int32()), ("jpeg", pa.binary())])

FACES = pa.schema(
    [
        ("frame", pa.int32()),
        ("xyxy_px", pa.list_(pa.float32(), 4)),
        ("score", pa.float32()),
        ("landmarks_px", pa.list_(pa.float32(), 10)),
        ("embedding", pa.list_(pa.float32())),
        ("input_px", pa.int32()),
    ]
)

SUBJECT = pa.schema(
    [
        ("frame", pa.int32()),
        ("time_s", pa.float64()),
        ("xyxy_px", pa.list_(pa.float32(), 4)),
        ("status", pa.string()),
        ("person", pa.int32()),
    ]
)

CROPS = pa.schema(
    [("frame", pa.int32()), ("scale", pa.float32()), ("jpeg", pa.binary()), ("padded_share", pa.float32())]
)

AUDIO_WINDOWS = pa.schema(
    [
        ("frame", pa.int32()),
        ("start_sample", pa.int64()),
        ("end_sample", pa.int64()),
        ("inside_share", pa.float32()),
        ("audible", pa.bool_()),
    ]
)

VISUAL_INDEX = pa.schema(
    [
        ("track", pa.string()),
        ("frame", pa.int32()),
        ("time_s", pa.float64()),
        ("present", pa.bool_()),
        ("detected", pa.bool_()),
        ("scales", pa.list_(pa.float32())),
        ("padded_share", pa.float32()),
        ("row", pa.int32()),
    ]
)
"""The index of a shard of visual features; `row` is the row of the matrix, from 0."""

AUDIO_INDEX = pa.schema([("track", pa.string()), ("frame", pa.int32()), ("present", pa.bool_()), ("row", pa.int32())])
"""The index of a shard of audio features."""

STAGE1_HISTORY = pa.schema(
    [("epoch", pa.int64()), ("train_loss", pa.float64()), ("val_macro_f1", pa.float64()), ("head_lr", pa.float64())]
)

FUSION_HISTORY = pa.schema(
    [("epoch", pa.int64()), ("train_loss", pa.float64()), ("val_macro_f1", pa.float64()), ("lr", pa.float64())]
)

LOGITS = pa.schema(
    [
        ("track", pa.string()),
        ("frame", pa.int32()),
        ("logits", pa.list_(pa.float32(), NUM_CLASSES)),
        ("face_present", pa.bool_()),
        ("audio_present", pa.bool_()),
        ("imputed", pa.bool_()),
    ]
)

LABELLED_LOGITS = pa.schema(
    [
        *LOGITS,
        ("time_s", pa.float64()),
        ("label", pa.int8()),
        ("detected", pa.bool_()),
        ("padded_share", pa.float32()),
        *((role, pa.bool_()) for role in ROLES),
    ]
)

SMOOTHING_SEARCH = pa.schema([("kind", pa.string()), ("window_frames", pa.int64()), ("macro_f1", pa.float64())])

TRACK_SCORES = pa.schema(
    [
        ("track", pa.large_string()),
        ("num_labelled", pa.int64()),
        ("accuracy", pa.float64()),
        ("macro_f1_without", pa.float64()),
    ]
)

ABLATION = pa.schema(
    [
        ("configuration", pa.large_string()),
        ("varies", pa.large_string()),
        ("seed", pa.int64()),
        ("macro_f1", pa.float64()),
        ("macro_f1_low", pa.float64()),
        ("macro_f1_high", pa.float64()),
        ("difference_low", pa.float64()),
        ("difference_high", pa.float64()),
        ("macro_f1_unsmoothed", pa.float64()),
        ("macro_f1_complete", pa.float64()),
        ("macro_f1_padded", pa.float64()),
        ("macro_f1_padded_unsmoothed", pa.float64()),
        ("num_labelled", pa.int64()),
        ("num_complete", pa.int64()),
        ("num_padded", pa.int64()),
    ]
)

PREDICTIONS = pa.schema(
    [
        ("frame", pa.int32()),
        ("time_s", pa.float64()),
        ("person", pa.int32()),
        *((f"p_{name}", pa.float32()) for name in EXPRESSIONS),
        ("expression", pa.large_string()),
        ("predicted_from", pa.large_string()),
        ("face", pa.large_string()),
        *((f"{edge}_px", pa.float32()) for edge in ("x1", "y1", "x2", "y2")),
    ]
)

DEMO_TRUTH = pa.schema(
    [
        ("track", pa.string()),
        ("frame", pa.int32()),
        ("expression", pa.int8()),
        ("visual_informative", pa.bool_()),
        ("audio_informative", pa.bool_()),
    ]
)
