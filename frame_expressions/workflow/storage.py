"""Which inputs stay on this machine when results are in an object store (docs/clusters.md): those that users give."""

from snakemake.io import local

from frame_expressions.workflow.input_files import is_made


def local_if_given(files: list[str]) -> list[str]:
    """Weights as a rule's input: read from this machine if a user gives them, from the store if a rule makes them."""
    return [path if is_made(path) else local(path) for path in files]
