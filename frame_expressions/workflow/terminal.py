"""What a run says on the terminal: a line for each finished stage, and for each tenth of the jobs.

Snakemake's own log, and --verbose, have the whole plan.

Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

import logging
from collections import Counter

_KEPT = ("Nothing to be done", "Complete log")


def print_stages_only(logger: logging.Logger) -> None:
    """Shorten what Snakemake's logger writes to the terminal; its log file stays as it is."""
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            handler.addFilter(_OneLineAStage(handler))


class _OneLineAStage(logging.Filter):
    """Lets warnings and errors pass, and replaces the reports on single jobs by few lines.

    Snakemake's records on jobs carry an event and its fields (snakemake_interface_logger_plugins).
    """

    def __init__(self, handler: logging.StreamHandler):
        super().__init__()
        self._handler = handler
        self._rule_of: dict[int, str] = {}
        self._planned: dict[str, int] = {}
        self._finished: Counter[str] = Counter()
        self._told = 0  # jobs that were done when the last line was written

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the handler writes a record itself."""
        event = getattr(record, "event", None)
        if record.levelno >= logging.WARNING:
            return True
        if event == "run_info":
            self._planned = {rule: count for rule, count in record.stats.items() if rule != "total"}
            self._write(f"{sum(self._planned.values())} jobs in {len(self._planned)} stages")
        elif event == "job_info":
            self._rule_of[record.jobid] = record.rule_name
        elif event == "job_finished":
            self._count(self._rule_of.get(record.job_id, ""))
        return event is None and record.getMessage().startswith(_KEPT)

    def _count(self, rule: str) -> None:
        self._finished[rule] += 1
        done, planned = sum(self._finished.values()), sum(self._planned.values())
        of_rule = self._planned.get(rule)
        if self._finished[rule] == of_rule:
            self._write(f"{rule}: done ({done} of {planned} jobs)")
        elif 10 * (done - self._told) >= planned:
            self._write(f"{rule}: {self._finished[rule]} of {of_rule} ({done} of {planned} jobs)")
        else:
            return
        self._told = done

    def _write(self, line: str) -> None:
        self._handler.stream.write(f"{line}\n")
        self._handler.flush()
