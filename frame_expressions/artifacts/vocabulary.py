"""The eight expression classes of the challenge, in the order used everywhere in this project."""

EXPRESSIONS = ("Neutral", "Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Other")
NUM_CLASSES = len(EXPRESSIONS)
UNLABELLED = -1
"""An annotation row that carries no class; left out of training and scoring."""

_NUMBERS = {name.lower(): number for number, name in enumerate(EXPRESSIONS)}
_NUMBERS |= {str(number): number for number in range(NUM_CLASSES)}


def expression_number(text: str) -> int | None:
    """Class number of a class name (in any case) or of a number 0 to 7 as text; None for anything else."""
    return _NUMBERS.get(text.strip().lower())
