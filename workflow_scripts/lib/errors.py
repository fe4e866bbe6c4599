"""The one exception for input that the user can mend."""


class InputError(ValueError):
    """Bad input: the message is one sentence that names the file or setting and the remedy."""
