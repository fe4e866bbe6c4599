"""The words that artifacts use: expression classes, splits, roles, face statuses and audio states.

Imported whenever the Snakefile is parsed, so it must import only the standard library.
"""

EXPRESSIONS = ("Neutral", "Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Other")
"""The eight expression classes of the challenge, in the order used everywhere in this project."""

NUM_CLASSES = len(EXPRESSIONS)

UNLABELLED = -1
"""The class number of a frame without a label; such frames are left out of training and scoring."""

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)

SELECTION, HELDOUT = "selection", "heldout"
ROLES = (SELECTION, HELDOUT)
"""The uses of labelled frames: epoch and smoothing are chosen on `selection`, scores are reported on `heldout`."""

DETECTED, INTERPOLATED, ABSENT = "detected", "interpolated", "absent"
FACE_STATUSES = (DETECTED, INTERPOLATED, ABSENT)
"""How a frame's face box was obtained: from the detector, between two detections, or not at all."""

FACE_AND_AUDIO, FACE, AUDIO, NOTHING = "face_and_audio", "face", "audio", "nothing"
NEAREST_FRAME, NEAREST_FEATURE = "nearest_frame", "nearest_feature"
SOURCES = (FACE_AND_AUDIO, FACE, AUDIO, NEAREST_FRAME, NEAREST_FEATURE, NOTHING)
"""What a frame was predicted from; a frame with nothing has no prediction.

A frame that lacks a face or audio may take both features of the nearest frame with face and audio (NEAREST_FRAME), or
only the one that it lacks, of the nearest frame that has it (NEAREST_FEATURE).
"""

AUDIBLE, SILENT, NO_AUDIO = "audible", "silent", "no_audio"
AUDIO_STATES = (AUDIBLE, SILENT, NO_AUDIO)
"""The audio of a video: a sample is not 0; every sample is 0; no audio stream, or none that decodes."""

_NUMBERS = {name.lower(): number for number, name in enumerate(EXPRESSIONS)}
_NUMBERS |= {str(number): number for number in range(NUM_CLASSES)}


def expression_number(text: str) -> int | None:
    """Class number of a class name (in any case) or of a number 0 to 7 as text; None for anything else."""
    return _NUMBERS.get(text.strip().lower())
