"""Download an InsightFace model pack, so that later jobs find it on disk."""

import logging
import shutil
import zipfile
from pathlib import Path

from frame_expressions.artifacts.atomic import flush
from frame_expressions.artifacts.provenance import sha256_of
from frame_expressions.artifacts.text import write_json
from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.job import log_to


def run(*, pack: str, root: Path, record: Path) -> None:
    """Leave the pack's .onnx files in `root`/models/`pack` and their SHA-256 in `record`."""
    from insightface.utils import storage  # slow to import, and only this step needs it

    folder = root / "models" / pack
    # InsightFace treats any existing folder as a complete pack, so a download goes to another folder first.
    partial = root / f".{pack}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        if not folder.exists():
            logging.info("fetching the InsightFace pack %s into %s", pack, folder)
            fetched = Path(storage.ensure_available("models", pack, root=str(partial)))
            for path in fetched.glob("*.onnx"):
                flush(path)
            folder.parent.mkdir(parents=True, exist_ok=True)
            fetched.rename(folder)
            shutil.rmtree(partial)
    except (OSError, RuntimeError, zipfile.BadZipFile) as error:
        logging.info("%s", error)  # long: it includes every cause
        raise InputError(
            f"the InsightFace pack {pack} cannot be fetched ({type(error).__name__})",
            (
                "run `snakemake --cores 1 fetch_models` with the same --configfile on a network, correct "
                f"detector.insightface.model, or unpack {pack}.zip into {root}/models/{pack}"
            ),
        ) from error
    files = {path.name: sha256_of(path) for path in sorted(folder.glob("*.onnx"))}
    if not files:
        raise InputError(f"{folder} holds no .onnx file", "delete it and run `snakemake --cores 1 fetch_models` again")
    write_json({"pack": pack, "sha256": files}, record)
    logging.info("made %s: %s", record, ", ".join(files))


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        record = Path(job.output.record)
        run(pack=job.wildcards.pack, root=record.parents[1], record=record)
