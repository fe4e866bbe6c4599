"""Reads  results/corpus/tracks.tsv, the annotations, results/timeline/, subjects/ and audio/{batch}/
       results/contact_sheets/doubt.tsv, {track}.jpg, the image sets, results/submission/check.json
       results/stage1/history.parquet, metrics.json, images.tsv, results/fusion/{fold}/history.parquet, val_logits.parquet
       results/smoothing/{fold}/search.parquet, best.json, results/evaluation/{protocol}/scores.json, tracks.parquet
       results/ablation/table.parquet if it exists, and the run times in results/benchmarks/
Writes results/report.html, training_curves.png

`snakemake report` puts all of it onto one page. Sections on training are omitted if weights were imported, and the page
says so. It starts no cross-validation and no ablation, but brings an existing one up to date first (`snakemake -n
report` lists what runs).
"""

from pathlib import Path

from frame_expressions.corpora.folds import PROTOCOLS
from frame_expressions.workflow.ablation_plan import METHOD
from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.input_files import image_set_files
from frame_expressions.workflow.resources import rising, steady

ABLATION_TABLE = "results/ablation/table.parquet"
IS_CROSS_VALIDATED = Path("results/evaluation/table.txt").exists()


rule report:
    input:
        "results/report.html",


rule write_report:
    input:
        tracks="results/corpus/tracks.tsv",
        annotations=run.given.inputs(corpus.annotations),
        timelines=corpus.folders("timeline"),
        subjects=corpus.folders("subjects"),
        audio=corpus.folders("audio"),
        doubt="results/contact_sheets/doubt.tsv",
        sheets=expand(
            "results/contact_sheets/{track}.jpg",
            track=[track.track for track in corpus.tracks],
        ),
        check="results/submission/check.json",
        scores=f"results/evaluation/{run.reported_protocol}/scores.json",
        protocols=expand(
            "results/evaluation/{protocol}/scores.json",
            protocol=[*PROTOCOLS, "official"] if IS_CROSS_VALIDATED else [],
        ),
        track_scores=f"results/evaluation/{run.reported_protocol}/tracks.parquet",
        logits=expand(
            "results/fusion/{fold}/val_logits.parquet", fold=run.submitted_folds
        ),
        best=run.reported_smoothing,
        search=run.submitted_smoothing.replace("best.json", "search.parquet"),
        submitted=run.submitted_smoothing,
        images=run.given.inputs(image_set_files(config)) if run.trains_stage1 else [],
        stage1_history="results/stage1/history.parquet" if run.trains_stage1 else [],
        stage1_metrics="results/stage1/metrics.json" if run.trains_stage1 else [],
        faulty_images="results/stage1/images.tsv" if run.trains_stage1 else [],
        fusion_histories=expand(
            "results/fusion/{fold}/history.parquet",
            fold=run.trained_folds,
        ),
        ablation=ABLATION_TABLE if Path(ABLATION_TABLE).exists() else [],
    output:
        page=report(
            "results/report.html",
            category="Report",
            caption="captions/report.rst",
        ),
        curves=report(
            "results/training_curves.png",
            category="Training",
            caption="captions/training.rst",
        ),
    log:
        "results/logs/write_report.log",
    benchmark:
        "results/benchmarks/write_report.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=rising(2000, logits=20),
        runtime=rising(30),
        disk_mb=steady(200, logits=1, sheets=2),
    params:
        protocol=run.reported_protocol,
        method=METHOD,
        group_of=corpus.group_of,
        benchmarks="results/benchmarks",
        config=config,  # the page shows all of it
        content=lambda wildcards: run.given.content(
            corpus.annotations + (image_set_files(config) if run.trains_stage1 else [])
        ),
        code=digest_of("write_report"),
    script:
        "../workflow_scripts/write_report.py"
