"""Reads  the annotations, results/timeline/{batch}/{video}.parquet where a clip has one label
       results/fusion/{fold}/val_logits.parquet, results/smoothing/{fold}/best.json
Writes results/corpus/folds.tsv
       results/evaluation/{protocol}/scores.json, tracks.parquet, confusion.png
       results/evaluation/table.txt

`snakemake cross_validation` makes them all and prints the table. Protocols: `official` and `imported` (the corpus's
own split), `nested` and `paper` (two ways to cross-validate).
"""

from frame_expressions.corpora.folds import fold_names
from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.corpus import label_rows
from frame_expressions.workflow.resources import rising, steady

NUM_FOLDS = config["cross_validation"]["num_folds"]


rule cross_validation:
    input:
        "results/evaluation/table.txt",


rule assign_folds:
    input:
        annotations=run.given.inputs(corpus.annotations),
        timelines=corpus.folders(
            "timeline",
            [track for track in corpus.labelled_tracks if not track.annotation],
        ),
    output:
        folds="results/corpus/folds.tsv",
    log:
        "results/logs/assign_folds.log",
    benchmark:
        "results/benchmarks/assign_folds.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=rising(1000),
        runtime=rising(10),
        disk_mb=steady(100, timelines=1),
    params:
        tracks=label_rows(corpus.labelled_tracks),
        num_folds=config["cross_validation"]["num_folds"],
        content=lambda wildcards: run.given.content(corpus.annotations),
        code=digest_of("assign_folds"),
    script:
        "../workflow_scripts/assign_folds.py"


rule evaluate:
    input:
        logits=lambda wildcards: expand(
            "results/fusion/{fold}/val_logits.parquet",
            fold=fold_names(wildcards.protocol, NUM_FOLDS),
        ),
        best=lambda wildcards: expand(
            "results/smoothing/{fold}/best.json",
            fold=fold_names(wildcards.protocol, NUM_FOLDS),
        ),
    output:
        scores="results/evaluation/{protocol}/scores.json",
        tracks="results/evaluation/{protocol}/tracks.parquet",
        confusion=report(
            "results/evaluation/{protocol}/confusion.png",
            category="Evaluation",
            labels={"protocol": "{protocol}"},
            caption="captions/confusion.rst",
        ),
    log:
        "results/logs/evaluate/{protocol}.log",
    benchmark:
        "results/benchmarks/evaluate/{protocol}.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=rising(1000, logits=20),
        runtime=rising(20),
        disk_mb=steady(100, logits=1),
    params:
        group_of=corpus.group_of,
        evaluation=config["evaluation"],
        code=digest_of("evaluate"),
    script:
        "../workflow_scripts/evaluate.py"


rule compare_protocols:
    input:
        official="results/evaluation/official/scores.json",
        paper="results/evaluation/paper/scores.json",
        nested="results/evaluation/nested/scores.json",
    output:
        table="results/evaluation/table.txt",
    log:
        "results/logs/compare_protocols.log",
    benchmark:
        "results/benchmarks/compare_protocols.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=rising(1000),
        runtime=rising(5),
        disk_mb=steady(100),
    params:
        code=digest_of("compare_protocols"),
    script:
        "../workflow_scripts/compare_protocols.py"
