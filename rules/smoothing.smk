"""Reads  results/fusion/{fold}/val_logits.parquet
Writes results/smoothing/{fold}/search.parquet, best.json, curve.png
       results/smoothing/mean/search.parquet, best.json, curve.png
       results/smoothing/paper/search.parquet, best.json, curve.png

Kind and window of a fold are chosen on its selection tracks, those of the mean of the nested fold models on all folds'
held-out tracks. The protocol `paper` has one smoothing for all folds, fixed in the configuration; the other kinds over
its window are scored, too.
"""

from frame_expressions.corpora.folds import fold_names
from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.resources import rising, steady


rule search_smoothing:
    input:
        logits=["results/fusion/{fold}/val_logits.parquet"],
    output:
        table="results/smoothing/{fold}/search.parquet",
        best="results/smoothing/{fold}/best.json",
        curve=report(
            "results/smoothing/{fold}/curve.png",
            category="Smoothing",
            labels={"fold": "{fold}"},
            caption="captions/smoothing.rst",
        ),
    log:
        "results/logs/search_smoothing/{fold}.log",
    benchmark:
        "results/benchmarks/search_smoothing/{fold}.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=rising(1000, logits=10),
        runtime=rising(30),
        disk_mb=steady(100, logits=1),
    params:
        role="selection",
        is_fixed=False,
        smoothing=config["smoothing"],
        code=digest_of("search_smoothing"),
    script:
        "../workflow_scripts/search_smoothing.py"


use rule search_smoothing as search_smoothing_of_mean with:
    input:
        logits=expand(
            "results/fusion/{fold}/val_logits.parquet",
            fold=fold_names("nested", config["cross_validation"]["num_folds"]),
        ),
    output:
        table="results/smoothing/mean/search.parquet",
        best="results/smoothing/mean/best.json",
        curve=report(
            "results/smoothing/mean/curve.png",
            category="Smoothing",
            labels={"fold": "mean of fold models"},
            caption="captions/smoothing.rst",
        ),
    log:
        "results/logs/search_smoothing/mean.log",
    benchmark:
        "results/benchmarks/search_smoothing/mean.tsv"
    params:
        role="heldout",


use rule search_smoothing as score_fixed_smoothing with:
    input:
        logits=expand(
            "results/fusion/{fold}/val_logits.parquet",
            fold=fold_names("paper", config["cross_validation"]["num_folds"]),
        ),
    output:
        table="results/smoothing/paper/search.parquet",
        best="results/smoothing/paper/best.json",
        curve=report(
            "results/smoothing/paper/curve.png",
            category="Smoothing",
            labels={"fold": "protocol paper, fixed"},
            caption="captions/smoothing.rst",
        ),
    log:
        "results/logs/search_smoothing/paper.log",
    benchmark:
        "results/benchmarks/search_smoothing/paper.tsv"
    params:
        role="heldout",
        is_fixed=True,
        smoothing=config["cross_validation"]["paper"]["smoothing"],
