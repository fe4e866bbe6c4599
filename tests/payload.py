"""What a hostile file holds: an object that does something when it is unpickled."""

from pathlib import Path


class RunsCode:
    """Makes a folder, the canary, when it is unpickled."""

    def __init__(self, canary: Path):
        self.canary = canary

    def __reduce__(self):
        return Path.mkdir, (self.canary,)
