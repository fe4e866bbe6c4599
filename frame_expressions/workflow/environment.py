"""The environment variables of every job.

Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

import os


def prepare_environment(folder: str) -> None:
    """Set the variables that jobs inherit from this process. folder: of the Snakefile."""
    # Scripts import the package by its full name, and run in processes of their own.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (folder, os.environ.get("PYTHONPATH"))))
    # PyTorch's threads spin while they wait for each other; with more jobs than cores, training took 4 times as long.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    # kornia-rs, which resizes crops, starts a thread for every core, however many the job was given.
    os.environ.setdefault("RAYON_NUM_THREADS", "1")
