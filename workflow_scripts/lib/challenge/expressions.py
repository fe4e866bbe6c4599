"""The eight expression classes of the challenge, in the order used everywhere in this project."""

EXPRESSIONS = ("Neutral", "Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Other")
NUM_CLASSES = len(EXPRESSIONS)
UNLABELLED = -1
"""An annotation row that carries no class; left out of training and scoring."""
