"""The files that users give, as inputs of rules: their content decides whether they changed.

Snakemake goes by modification times, which say little about files from elsewhere. `cp -p`, `mv`, `rsync -a` and `unzip`
replace a file by an older one; a copied or touched corpus has new times and the same content. Rules therefore read
such files as `ancient`, and the rule that reads one first has a digest of its content as a parameter. Later readers
follow, since they also read what that rule wrote.
Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

import hashlib
from pathlib import Path

from snakemake.io import ancient, local

from frame_expressions.workflow.content import digests_of
from frame_expressions.workflow.corpus import demo_files
from frame_expressions.workflow.input_files import DEMO_IMAGES, is_made


class GivenFiles:
    """Which files of a run its user gives, and which ones a rule makes."""

    def __init__(self, config: dict):
        makes_demo = not config["predict_videos"]  # rules/demo.smk is not included then
        self._made = {str(path) for path in demo_files(config)} if makes_demo else set()
        self._made_folders = DEMO_IMAGES if makes_demo else ()
        self._digests: dict[str, str] = {}

    def inputs(self, files: str | list[str]) -> str | list[str]:
        """Files as a rule's input, in the same shape: a list, or one file.

        Given ones also stay on this machine when results are in an object store (docs/clusters.md).
        """
        if isinstance(files, str):
            return files if self._is_made(files) else ancient(local(files))
        return [self.inputs(path) for path in files]

    def content(self, files: list[str]) -> str:
        """One digest of the content of the given files, in their order; empty if rules make them all.

        Each file is read once in a process, and only for the jobs that this process plans or runs.
        """
        given = [path for path in files if not self._is_made(path)]
        unread = [path for path in dict.fromkeys(given) if path not in self._digests]
        self._digests.update(zip(unread, digests_of(unread), strict=True))
        text = " ".join(self._digests[path] for path in given)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest() if given else ""

    def _is_made(self, path: str) -> bool:
        return is_made(path) or str(Path(path)) in self._made or path.startswith(self._made_folders)
