"""From raw videos to an expression for every frame, and to the challenge's submission file.

Reads  config.yaml, the corpus and the image sets that it names
Writes results/submission/predictions.txt, and every artifact of docs/contracts.md on the way

Rule files use three names from here: config, run (the mode of this invocation) and corpus.
"""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.utils import min_version

min_version("9.0")
FOLDER = str(workflow.current_basedir)
sys.path.insert(0, FOLDER)

from frame_expressions.runtime.errors import InputError
from frame_expressions.workflow.environment import prepare_environment
from frame_expressions.workflow.records import keep_records
from frame_expressions.workflow.run import CHECK, PREDICT, TRAIN, start
from frame_expressions.workflow.terminal import print_stages_only

prepare_environment(FOLDER)


configfile: f"{FOLDER}/config.yaml"


try:
    schema = Path(FOLDER, "config.schema.yaml")
    run = start(config, schema, sys.argv, workflow.is_main_process)
except InputError as error:
    raise WorkflowError(str(error))
corpus = run.corpus
if workflow.is_main_process:
    keep_records(workflow)
if run.is_brief:
    print_stages_only(logger)


wildcard_constraints:
    batch="[A-Za-z0-9][A-Za-z0-9._-]*",
    track="[A-Za-z0-9][A-Za-z0-9._-]*",
    video="[A-Za-z0-9][A-Za-z0-9._-]*",
    shard="(train|validation|test|predict-[A-Za-z0-9._-]+)-[0-9]+",
    fold="official|imported[0-9]*|(cv|paper)[0-9]+",
    modality="visual|audio",


RULES = {
    CHECK: [],
    PREDICT: ["predict"],
    TRAIN: ["corpus", "demo", "imported", "contact_sheets", "stage1", "smoothing"]
    + ["submission", "export", "evaluation", "ablation", "report"],
}
SHARED = ["models", "quarantine", "frames", "faces", "audio", "features", "fusion"]


include: "rules/check.smk"


for name in SHARED if run.mode != CHECK else []:

    include: f"rules/{name}.smk"


for name in RULES[run.mode]:

    include: f"rules/{name}.smk"


# The default target is set here, since Snakemake ignores that of an included file.
if run.mode == PREDICT:

    rule predict:
        default_target: True
        input:
            run.predicted_files,

elif run.mode == TRAIN:

    rule submission:
        default_target: True
        input:
            "results/submission/predictions.txt",
            "results/submission/check.json",
            run.quarantine,
