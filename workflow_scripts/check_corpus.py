"""Print the contents of the corpus, what is missing or suspicious in it, and whether `submission` can run."""

import contextlib
import io
import logging
from collections import Counter
from pathlib import Path

import pandas as pd

from frame_expressions.artifacts.text import write_text
from frame_expressions.corpora.check_files import problems_of_files
from frame_expressions.corpora.check_videos import count_rows, describe, look_at_labels, look_at_videos
from frame_expressions.corpora.image_sets import HoldoutSettings, missing_images, read_image_sets
from frame_expressions.corpora.problems import ERROR, WARNING, Problem, collecting, problem_of
from frame_expressions.media.limits import Limits
from frame_expressions.runtime.errors import InputError
from frame_expressions.runtime.job import log_to, print_result
from frame_expressions.workflow.corpus import scan_corpus
from frame_expressions.workflow.input_files import image_set_files, missing_given_files

MOST_SHOWN = 100


def run(*, config: dict, folds: list[str], table: Path) -> None:
    """Write `table`, one row per problem, and print the contents of the corpus and the problems.

    config: the whole configuration, since any of the files that it names may be missing. folds: the folds whose models
    predict the submission. Raises InputError, after everything has been printed, if `submission` could not run.
    """
    settings, execution = config["corpus"], config["execution"]
    logging.info("Checking the corpus: %s", settings)
    corpus, problems = scan_corpus(config)
    template = corpus.checked_template
    problems += [problem_of(error) for error in missing_given_files(config)]
    problems += _problems_of_images(config)
    faulty = {problem.track for problem in problems} - {""}  # such tracks may be missing from the corpus
    found = problems_of_files(corpus.tracks, template, execution["on_bad_video"])
    problems += [problem for problem in found if problem.track not in faulty]
    report = ["No track could be read."]
    if corpus.tracks:
        tracks, of_videos = look_at_videos(
            count_rows(corpus.tracks, template), execution["on_bad_video"], Limits(**execution["limits"])
        )
        known = {problem.file for problem in problems}
        problems += [problem for problem in of_videos if problem.file not in known]
        asked_by = corpus.template or "none; every frame of every test track gets a row"
        report = [f"template: {asked_by}", "", describe(tracks)]
        absent = [path for path in corpus.paths.values() if not Path(path).exists()]
        if absent and settings["layout"] == "demo":
            report += ["", f"{len(absent)} videos are not there yet; the workflow makes them itself."]
        else:
            remedy = "add it, fix the link, or remove its tracks"
            problems += [Problem(ERROR, f"The video {path} does not exist", remedy, file=path) for path in absent]
            problems += look_at_labels(tracks, folds, config["cross_validation"]["num_folds"])
    problems.sort(key=lambda problem: problem.severity != ERROR)
    write_text(_as_tsv(problems), table)
    num = Counter(problem.severity for problem in problems)
    report += ["", *_as_lines(problems, table), ""]
    report += [
        f"{num['error']} errors, {num['warning']} warnings: submission {'cannot' if num['error'] else 'can'} run."
    ]
    # Only to the terminal, because Snakemake also shows a failed rule's log.
    with contextlib.redirect_stdout(io.StringIO()):
        print_result("\n".join(report))
    logging.info("Found %d tracks, %d errors, %d warnings", len(corpus.tracks), num["error"], num["warning"])
    if num["error"]:
        raise InputError(f"submission cannot run because of {num['error']} errors", f"fix them as described in {table}")


def _problems_of_images(config: dict) -> list[Problem]:
    """The first fault of Stage I's lists of images, or else how many of the images do not exist.

    `missing_given_files` finds missing lists.
    """
    problems: list[Problem] = []
    settings = config["stage1"]
    if config["imported"]["backbone"] is None and all(Path(path).exists() for path in image_set_files(config)):
        with collecting(problems):
            found = read_image_sets(settings["image_sets"], HoldoutSettings(**settings["holdout"]))
            severity = ERROR if config["execution"]["on_bad_image"] == "stop" else WARNING
            for item, images in zip(settings["image_sets"], found, strict=True):
                missing = missing_images(images)
                if missing:
                    what = f"{len(missing)} of the {len(images.paths)} images of {item['root']} do not exist"
                    remedy = "unpack the images or correct the folder"
                    problems.append(Problem(severity, f"{what}, the first is {str(missing[0])!r}", remedy))
    return problems


def _as_tsv(problems: list[Problem]) -> str:
    names = {"severity": "severity", "track": "track", "file": "file", "what": "problem", "remedy": "what to do"}
    rows = [{column: getattr(problem, name) for name, column in names.items()} for problem in problems]
    return pd.DataFrame(rows, columns=list(names.values())).to_csv(sep="\t", index=False, lineterminator="\n")


def _as_lines(problems: list[Problem], table: Path) -> list[str]:
    """The problems as lines of text: each problem with its remedy below it."""
    lines = []
    for problem in problems[:MOST_SHOWN]:
        lines += [f"{problem.severity:8} {problem.what}", *([f"{'':8} -> {problem.remedy}"] if problem.remedy else [])]
    if len(problems) > MOST_SHOWN:
        lines.append(f"... and {len(problems) - MOST_SHOWN} more in {table}")
    return lines


if __name__ == "__main__":
    job = snakemake  # noqa: F821
    with log_to(job.log[0]):
        run(config=job.params.config, folds=job.params.folds, table=Path(job.params.table))
