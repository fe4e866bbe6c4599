"""From raw videos to an expression for every frame, and to the challenge's submission file.

Reads  config.yaml, the corpus and the image sets it names
Writes results/submission/predictions.txt, and every artifact of docs/contracts.md on the way
"""

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.0")
sys.path.insert(0, workflow.basedir)
# The scripts import the project by its full name.
os.environ.update(PYTHONPATH=workflow.basedir)
# PyTorch's threads wait for each other spinning; where jobs outnumber the cores, that made training 4 times slower.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
# The library that resizes crops starts a thread for every core, however many the job was given.
os.environ.setdefault("RAYON_NUM_THREADS", "1")

from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.configuration import (check_ablation, check_config, check_keys)
from frame_expressions.workflow.corpus import read_corpus
from frame_expressions.encoders.processor_config import preprocessor_config
from frame_expressions.runtime.errors import InputError
from frame_expressions.prediction.exported_model import ExportedModel, settings_of
from frame_expressions.workflow.input_files import (adapted_encoder, detector_files, encoder_files, image_set_files, network_files)
from frame_expressions.workflow.resources import rising, steady
from frame_expressions.workflow.results_folder import check_results
from frame_expressions.workflow.storage import local_if_given


configfile: os.path.join(workflow.basedir, "config.yaml")


# Where a store keeps the results, what users give is read where it lies, hence local() around it in the rules; so is
# the demonstration's corpus.
try:
    check_keys(config, os.path.join(workflow.basedir, "config.schema.yaml"))
    if config["predict_videos"]:
        exported = ExportedModel.read(Path(config["predict_model"]))
        exported.configure(config)
    elif "predict" in sys.argv:
        raise InputError("predict needs videos; add --config predict_videos=FOLDER.")
except InputError as error:
    raise WorkflowError(str(error))


include: "rules/check.smk"


try:
    check_config(config, os.path.join(workflow.basedir, "config.schema.yaml"))
    corpus = read_corpus(config)
    if workflow.is_main_process:
        corpus.check(config["corpus"]["on_bad_video"])
        if "submission" in sys.argv:
            corpus.check_splits(submitted_folds(config))
        if "ablation" in sys.argv:
            check_ablation(config)
        # Predictions lie beside the corpus's results, and whoever unlocks need not give the corpus's --configfile.
        if not config["predict_videos"] and "--unlock" not in sys.argv:
            check_results(Path("results"), corpus.video_paths)
except InputError as error:
    # check_corpus shows all that is wrong. Which targets were asked for is not known to Snakemake itself by now.
    if "check_corpus" not in sys.argv:
        raise WorkflowError(str(error))
else:

    wildcard_constraints:
        batch="[A-Za-z0-9][A-Za-z0-9._-]*",
        track="[A-Za-z0-9][A-Za-z0-9._-]*",
        shard="(train|validation|test|predict-[A-Za-z0-9._-]+)-[0-9]+",
        fold="official|imported|(cv|paper)[0-9]+",
        modality="visual|audio",

    include: "rules/models.smk"
    include: "rules/quarantine.smk"
    include: "rules/frames.smk"
    include: "rules/faces.smk"
    include: "rules/audio.smk"
    include: "rules/features.smk"
    include: "rules/fusion.smk"

    if config["predict_videos"]:  # with an exported model: nothing may be trained

        include: "rules/predict.smk"

    else:

        rule submission:
            default_target: True
            input:
                "results/submission/predictions.txt",
                "results/submission/check.json",
                QUARANTINE,

        include: "rules/demo.smk"
        include: "rules/corpus.smk"
        include: "rules/imported.smk"
        include: "rules/contact_sheets.smk"
        include: "rules/stage1.smk"
        include: "rules/smoothing.smk"
        include: "rules/submission.smk"
        include: "rules/export.smk"
        include: "rules/evaluation.smk"
        include: "rules/ablation.smk"
        include: "rules/report.smk"
