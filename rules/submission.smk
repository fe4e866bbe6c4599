"""Reads  results/corpus/tracks.tsv
       results/fusion/{fold}/test_logits.parquet of one fold, or of several, whose logits are averaged
       results/smoothing/{fold}/best.json, or results/smoothing/mean/best.json,
       results/timeline/{batch}/{video}.parquet, the template
Writes results/submission/predictions.txt, check.json
"""

from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.resources import rising, steady


rule write_submission:
    input:
        tracks="results/corpus/tracks.tsv",
        logits=expand(
            "results/fusion/{fold}/test_logits.parquet", fold=run.submitted_folds
        ),
        best=run.submitted_smoothing,
        template=run.given.inputs(corpus.template or []),
        timelines=corpus.folders("timeline", corpus.split("test")),
    output:
        predictions="results/submission/predictions.txt",
        check="results/submission/check.json",
    log:
        "results/logs/write_submission.log",
    benchmark:
        "results/benchmarks/write_submission.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=rising(1000, logits=10),
        runtime=rising(20),
        disk_mb=steady(100, logits=2),
    params:
        content=lambda wildcards: run.given.content(
            [corpus.template] if corpus.template else []
        ),
        code=digest_of("write_submission"),
    script:
        "../workflow_scripts/write_submission.py"
