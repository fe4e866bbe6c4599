"""What one invocation of the workflow does, decided once, while the Snakefile is parsed.

Imported whenever the Snakefile is parsed, so it must not import pyarrow, pandas or torch.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from frame_expressions.corpora.folds import smoothing_names, submitted_folds
from frame_expressions.prediction.exported_model import ExportedModel
from frame_expressions.runtime.errors import InputError
from frame_expressions.workflow.configuration import check_ablation, check_config, check_keys, restore_texts
from frame_expressions.workflow.corpus import Corpus, read_corpus
from frame_expressions.workflow.given_files import GivenFiles
from frame_expressions.workflow.prediction import Prediction
from frame_expressions.workflow.results_folder import check_results

TRAIN, PREDICT, CHECK = "train", "predict", "check"
"""Train on the configured corpus and predict its test tracks; predict other videos with an exported model; or, if the
corpus is faulty, only report what is wrong with it."""


@dataclass(frozen=True)
class Run:
    """The mode of an invocation, and what depends on it.

    corpus: None in the mode CHECK. model: the exported model in the mode PREDICT, else None. is_brief: whether the
    terminal shows one line a stage.
    """

    mode: str
    config: dict
    corpus: Corpus | None
    model: ExportedModel | None = None
    is_brief: bool = False

    @cached_property
    def given(self) -> GivenFiles:
        """The files of this run that its user gives."""
        return GivenFiles(self.config)

    @property
    def prediction(self) -> Prediction | None:
        """The videos that are only predicted; None in the other modes."""
        return self.corpus.prediction if self.corpus else None

    @property
    def predictions(self) -> str:
        """The folder of the predictions of such videos."""
        return str(self.prediction.results)

    @property
    def predicted_files(self) -> list[str]:
        """The files of the target `predict`: tables, plots and overlay videos, their list, and the refused videos."""
        of_videos = [
            f"{self.predictions}/{video}.{suffix}"
            for suffix in ("parquet", "csv", "png", "mp4")
            for video in self.corpus.paths
        ]
        return [f"{self.predictions}/videos.tsv", self.quarantine, *of_videos]

    @property
    def quarantine(self) -> str:
        """The table of refused media files."""
        return f"{self.predictions}/quarantine.tsv" if self.mode == PREDICT else "results/quarantine.tsv"

    @property
    def submitted_folds(self) -> list[str]:
        """The folds whose models predict the submission; the logits of several are averaged."""
        return submitted_folds(self.config)

    @property
    def submitted_smoothing(self) -> str:
        """The smoothing that the submission is made with: as published, the protocol paper fixes it beforehand."""
        names = self.reported_smoothing
        return names[0] if len(names) == 1 else "results/smoothing/mean/best.json"

    @property
    def reported_smoothing(self) -> list[str]:
        """The smoothing that the reported folds are scored with: one for each, or one for all."""
        names = smoothing_names(self.reported_protocol, self.config["cross_validation"]["num_folds"])
        return [f"results/smoothing/{name}/best.json" for name in names]

    @property
    def trained_folds(self) -> list[str]:
        """The submitted folds whose models are trained here, not imported."""
        return [fold for fold in self.submitted_folds if fold != "imported"]

    @property
    def trains_stage1(self) -> bool:
        """Whether Stage I is trained here; otherwise an adapted backbone is imported."""
        return not self.config["imported"]["backbone"]

    @property
    def reported_protocol(self) -> str:
        """The protocol whose scores the report shows."""
        folds = self.submitted_folds
        return self.config["cross_validation"]["protocol"] if len(folds) > 1 else folds[0]


def start(config: dict, schema: Path, arguments: Sequence[str], is_main_process: bool) -> Run:
    """Check the configuration and the corpus, and decide the mode.

    config: in the mode PREDICT, the model's settings are filled in. arguments: Snakemake's command line, since
    Snakemake itself does not know the targets while it parses the Snakefile. is_main_process: whether the user started
    this process; the processes that run its jobs do not check the corpus again.
    Raises InputError for the first fault, unless check_corpus is a target, which reports all of them.
    """
    restore_texts(config, arguments)
    check_keys(config, schema)
    mode = PREDICT if config["predict_videos"] else TRAIN
    model = None
    if mode == PREDICT:
        model = ExportedModel.read(Path(config["predict_model"]))
        model.configure(config)
        config["execution"]["on_bad_video"] = "skip"  # of many files, one that cannot be read loses no other
    elif _asks_for("predict", arguments):
        raise InputError("predict needs videos", "add --config predict_videos=FOLDER")
    try:
        check_config(config, schema)
        corpus = read_corpus(config)
        if is_main_process:
            _check_corpus(config, corpus, mode, arguments)
            if corpus.prediction and not _only_plans(arguments):
                corpus.prediction.save()
    except InputError:
        if _asks_for("check_corpus", arguments):
            return Run(CHECK, config, None)
        raise
    return Run(mode, config, corpus, model, mode == PREDICT and is_main_process and prints_as_usual(arguments))


def _check_corpus(config: dict, corpus: Corpus, mode: str, arguments: Sequence[str]) -> None:
    corpus.check(config["execution"]["on_bad_video"])
    if corpus.prediction:
        corpus.prediction.check()
    if _asks_for("submission", arguments):
        corpus.check_splits(submitted_folds(config))
    if _asks_for("ablation", arguments):
        check_ablation(config)
    # Predictions are kept next to the corpus's results, and --unlock need not come with the corpus's --configfile.
    if mode == TRAIN and "--unlock" not in arguments:
        check_results(Path("results"), corpus.paths.values())


def prints_as_usual(arguments: Sequence[str]) -> bool:
    """Whether this is a real run, and Snakemake is not told how much to print."""
    chosen = ("--verbose", "--quiet", "-q", "--printshellcmds", "-p", "--debug-dag")
    return not _only_plans(arguments) and not any(argument in chosen for argument in arguments)


def _only_plans(arguments: Sequence[str]) -> bool:
    """Whether Snakemake is asked for a dry run."""
    return any(
        argument in ("--dry-run", "--dryrun") or re.fullmatch("-[a-zA-Z]*n[a-zA-Z]*", argument)
        for argument in arguments
    )


def _asks_for(target: str, arguments: Sequence[str]) -> bool:
    """Whether a target is among the arguments, possibly with the prefix that another workflow gave the rule.

    A path, a setting or the name of the working folder may end the same way, and is not a target.
    """
    for before, argument in pairwise(["", *arguments]):
        is_prefixed = argument.isidentifier() and argument.endswith(f"_{target}")
        if before not in ("-d", "--directory") and (argument == target or is_prefixed):
            return True
    return False
