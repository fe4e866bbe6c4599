"""Reads  the annotations, results/timeline/{batch}/{video}.parquet where a clip has one label
       the user's table of folds, if there is one
       results/fusion/{fold}/val_logits.parquet, results/smoothing/{fold}/best.json, results/smoothing/paper/best.json
Writes results/corpus/folds.tsv, paper_folds.tsv
       results/evaluation/{protocol}/scores.json, tracks.parquet, confusion.png
       results/evaluation/table.txt

`snakemake cross_validation` makes them all and prints the table. Protocols: `nested` (a fold's epoch and smoothing are
chosen on other videos than those it is scored on), `paper` (as published), `tuned` (the models of `paper`, smoothing
tuned on the reported fold), `official` and `imported` (the corpus's own split).
"""

from frame_expressions.corpora.folds import GROUPED, PROTOCOLS
from frame_expressions.corpora.folds import fold_names, given_folds, smoothing_names
from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.corpus import label_rows
from frame_expressions.workflow.resources import rising, steady

NUM_FOLDS = config["cross_validation"]["num_folds"]
GIVEN_FOLDS = given_folds(config)
COMPARED = [*PROTOCOLS, "official"]


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
        given=[],
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
        division=GROUPED,
        num_folds=NUM_FOLDS,
        content=lambda wildcards: run.given.content(corpus.annotations),
        code=digest_of("assign_folds"),
    script:
        "../workflow_scripts/assign_folds.py"


use rule assign_folds as assign_paper_folds with:
    input:
        annotations=run.given.inputs(corpus.annotations),
        timelines=corpus.folders(
            "timeline",
            [track for track in corpus.labelled_tracks if not track.annotation],
        ),
        given=run.given.inputs(GIVEN_FOLDS),
    output:
        folds="results/corpus/paper_folds.tsv",
    log:
        "results/logs/assign_folds/paper.log",
    benchmark:
        "results/benchmarks/assign_folds/paper.tsv"
    params:
        division=config["cross_validation"]["paper"]["folds"],
        content=lambda wildcards: run.given.content(corpus.annotations + GIVEN_FOLDS),


rule evaluate:
    input:
        logits=lambda wildcards: expand(
            "results/fusion/{fold}/val_logits.parquet",
            fold=fold_names(wildcards.protocol, NUM_FOLDS),
        ),
        best=lambda wildcards: expand(
            "results/smoothing/{name}/best.json",
            name=smoothing_names(wildcards.protocol, NUM_FOLDS),
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
        compares_kinds=lambda wildcards: wildcards.protocol == "paper",
        group_of=corpus.group_of,
        evaluation=config["evaluation"],
        code=digest_of("evaluate"),
    script:
        "../workflow_scripts/evaluate.py"


rule compare_protocols:
    input:
        scores=expand("results/evaluation/{protocol}/scores.json", protocol=COMPARED),
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
