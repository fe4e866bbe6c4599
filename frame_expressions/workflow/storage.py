"""Which inputs stay on this machine where a store keeps the results (docs/clusters.md): those that users give."""

from snakemake.io import local

from frame_expressions.workflow.input_files import is_made


def local_if_given(files: list[str]) -> list[str]:
    """Weights as a rule's input: read where they lie if a user gives them, and from the store if a rule makes them."""
    return [path if is_made(path) else local(path) for path in files]
