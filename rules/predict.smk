"""Reads  the videos of predict_videos, the exported model of predict_model
Writes results/predict/{folder}/{video}.parquet, {video}.csv, {video}.png, {video}.mp4
       results/predict/{folder}/videos.tsv
       results/predict/{folder}/logits/{shard}/{model}.parquet

Their batches and shards are next to the corpus's, with names that begin with predict-{folder}. plan.json, in the same
folder, says which video is in which; it is written while the Snakefile is parsed.
"""

import re

from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.corpus import label_rows
from frame_expressions.workflow.resources import rising, steady

SPLIT = run.prediction.split
PREDICTED = run.predictions


wildcard_constraints:
    video="|".join(map(re.escape, corpus.paths)),


localrules:
    predict,


use rule predict_logits as predict_exported with:
    input:
        model=run.given.inputs([f"{run.model.folder}/fusion/{{fold}}.safetensors"]),
        visual=["results/features/visual/{shard}.npy"],
        visual_index=["results/features/visual/{shard}.parquet"],
        audio=["results/features/audio/{shard}.npy"],
        audio_index=["results/features/audio/{shard}.parquet"],
    output:
        logits=f"{PREDICTED}/logits/{{shard}}/{{fold}}.parquet",
    log:
        "results/logs/predict_logits/{shard}-{fold}.log",
    benchmark:
        "results/benchmarks/predict_logits/{shard}-{fold}.tsv"
    params:
        tracks=lambda wildcards: label_rows(corpus.shard(wildcards.shard).tracks),
        content=lambda wildcards: run.given.content(
            [f"{run.model.folder}/fusion/{wildcards.fold}.safetensors"]
        ),


rule tabulate_predictions:
    input:
        logits=lambda wildcards: [
            f"{PREDICTED}/logits/{corpus.shard_of(wildcards.video).name}/{path.stem}.parquet"
            for path in run.model.fusion
        ],
        subjects=lambda wildcards: corpus.video(wildcards.video).folder("subjects"),
        timelines=lambda wildcards: corpus.video(wildcards.video).folder("timeline"),
    output:
        table=f"{PREDICTED}/{{video}}.parquet",
        csv=f"{PREDICTED}/{{video}}.csv",
        plot=f"{PREDICTED}/{{video}}.png",
    log:
        f"results/logs/tabulate_predictions/{SPLIT}-{{video}}.log",
    benchmark:
        f"results/benchmarks/tabulate_predictions/{SPLIT}-{{video}}.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=rising(1000, subjects=100),
        runtime=rising(10),
        disk_mb=steady(100, logits=1),
    params:
        tracks=lambda wildcards: [
            track.track for track in corpus.video(wildcards.video).tracks
        ],
        smoothing=run.model.smoothing,
        code=digest_of("tabulate_predictions"),
    script:
        "../workflow_scripts/tabulate_predictions.py"


rule draw_overlay:
    input:
        video=lambda wildcards: run.given.inputs(corpus.video(wildcards.video).path),
        table=f"{PREDICTED}/{{video}}.parquet",
        timelines=lambda wildcards: corpus.video(wildcards.video).folder("timeline"),
        audio=lambda wildcards: corpus.video(wildcards.video).folder("audio"),
    output:
        overlay=f"{PREDICTED}/{{video}}.mp4",
    log:
        f"results/logs/draw_overlay/{SPLIT}-{{video}}.log",
    benchmark:
        f"results/benchmarks/draw_overlay/{SPLIT}-{{video}}.tsv"
    conda:
        "../envs/faces.yaml"
    threads: 1
    resources:
        mem_mb=rising(1000),
        runtime=rising(30, video=6),
        disk_mb=steady(100, video=5),
    params:
        code=digest_of("draw_overlay"),
    script:
        "../workflow_scripts/draw_overlay.py"


rule list_predictions:
    input:
        tables=expand(f"{PREDICTED}/{{video}}.parquet", video=list(corpus.paths)),
        overlays=expand(f"{PREDICTED}/{{video}}.mp4", video=list(corpus.paths)),
    output:
        videos=f"{PREDICTED}/videos.tsv",
    log:
        f"results/logs/list_predictions/{SPLIT}.log",
    benchmark:
        f"results/benchmarks/list_predictions/{SPLIT}.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=rising(1000),
        runtime=rising(30),
        disk_mb=steady(100, tables=1),
    params:
        videos=corpus.paths,
        kept=run.prediction.kept,
        refused=run.prediction.listing.refused,
        passed_over=run.prediction.listing.passed_over,
        persons=config["predict_persons"],
        code=digest_of("list_predictions"),
    script:
        "../workflow_scripts/list_predictions.py"
