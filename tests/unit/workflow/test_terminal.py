"""What a run of predict says on the terminal."""

import io
import logging

import pytest

from frame_expressions.workflow.run import prints_as_usual
from frame_expressions.workflow.terminal import print_stages_only


@pytest.fixture
def logger(tmp_path):
    """A logger as Snakemake's: a handler for the terminal, whose text is returned as well, and one for its log."""
    logger, terminal = logging.Logger("snakemake"), io.StringIO()
    logger.addHandler(logging.StreamHandler(terminal))
    logger.addHandler(logging.FileHandler(tmp_path / "log"))
    print_stages_only(logger)
    return logger, terminal


def test_a_stage_is_a_line_and_the_log_has_everything(logger, tmp_path):
    logger, terminal = logger
    logger.info("Building DAG of jobs...")
    logger.info("Job stats: ...", extra={"event": "run_info", "stats": {"detect": 2, "predict": 1, "total": 3}})
    for number, rule in enumerate(["detect", "detect", "predict"]):
        logger.info("rule %s", rule, extra={"event": "job_info", "jobid": number, "rule_name": rule})
    for number in (1, 0, 2):
        logger.info("Finished", extra={"event": "job_finished", "job_id": number})
        logger.info("1 of 3 steps", extra={"event": "progress", "done": 1, "total": 3})
    logger.error("Error in rule detect", extra={"event": "job_error"})
    logger.warning("mind")
    logger.info("Complete log(s): x")
    lines = ["3 jobs in 2 stages", "detect: 1 of 2 (1 of 3 jobs)", "detect: done (2 of 3 jobs)"]
    lines += ["predict: done (3 of 3 jobs)"]
    assert terminal.getvalue().splitlines() == [*lines, "Error in rule detect", "mind", "Complete log(s): x"]
    assert len((tmp_path / "log").read_text().splitlines()) == 14


def test_many_jobs_are_a_line_for_each_tenth(logger):
    logger, terminal = logger
    logger.info("Job stats", extra={"event": "run_info", "stats": {"detect": 600, "draw": 600, "total": 1200}})
    for number in range(1200):
        rule = ("detect", "draw")[number % 2]
        logger.info("rule", extra={"event": "job_info", "jobid": number, "rule_name": rule})
        logger.info("Finished", extra={"event": "job_finished", "job_id": number})
    lines = terminal.getvalue().splitlines()
    assert len(lines) == 12 and lines[1] == "draw: 60 of 600 (120 of 1200 jobs)"
    assert lines[-2:] == ["detect: done (1199 of 1200 jobs)", "draw: done (1200 of 1200 jobs)"]


@pytest.mark.parametrize(
    ("arguments", "brief"),
    [
        ("--cores 8 predict --config predict_videos=n", True),
        ("-n predict", False),
        ("-np predict", False),
        ("predict --dry-run", False),
        ("predict --verbose", False),
        ("predict --quiet rules", False),
        ("predict -p", False),
    ],
)
def test_snakemakes_own_choices_of_what_to_print_win(arguments, brief):
    assert prints_as_usual(["snakemake", *arguments.split()]) == brief
