"""Reads  the corpus and every other file that the configuration names
Writes results/corpus/check.tsv

`snakemake --cores 1 check_corpus` prints what was found, what is missing or suspicious, and whether `submission` can
run; its exit status is 0 only if it can. The rule has no output and no benchmark, so it always runs, and its table is
kept when it fails.
"""

from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.resources import rising, steady


localrules:
    check_corpus,


rule check_corpus:
    log:
        "results/logs/check_corpus.log",
    conda:
        "../envs/media.yaml"
    threads: 1
    resources:
        mem_mb=rising(2000),
        runtime=rising(60),
        disk_mb=steady(100),
    params:
        config=config,
        folds=run.submitted_folds,
        table="results/corpus/check.tsv",
        code=digest_of("check_corpus"),
    script:
        "../workflow_scripts/check_corpus.py"
