"""The colours of the expressions, the same in every figure."""

COLOURS = ("#9aa0a6", "#d7301f", "#6a8f3c", "#7b4ea3", "#f2b01e", "#2b6cb0", "#e377a2", "#8c6d4f")
"""One for each expression, in the order of EXPRESSIONS; they differ in lightness as well as in hue."""
