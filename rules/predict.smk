"""Reads  the videos of predict_videos, the exported model of predict_model
Writes results/predict/{folder}/{video}.parquet, {video}.csv, {video}.png, {video}.mp4
       results/predict/{folder}/videos.tsv
       results/predict/{folder}/logits/{model}.parquet

Their batches and shards are next to the corpus's, with names that begin with predict-{folder}.
"""

from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.corpus import label_rows
from frame_expressions.workflow.resources import rising, steady

PREDICTED_SPLIT = run.predicted_split
PREDICTED = run.predictions


localrules:
    predict,


use rule predict_logits as predict_exported with:
    input:
        model=run.given.inputs(f"{run.model.folder}/fusion/{{fold}}.safetensors"),
        visual=corpus.shard_files("visual", "npy", [PREDICTED_SPLIT]),
        visual_index=corpus.shard_files("visual", "parquet", [PREDICTED_SPLIT]),
        audio=corpus.shard_files("audio", "npy", [PREDICTED_SPLIT]),
        audio_index=corpus.shard_files("audio", "parquet", [PREDICTED_SPLIT]),
    output:
        logits=f"{PREDICTED}/logits/{{fold}}.parquet",
    log:
        f"results/logs/predict_logits/{PREDICTED_SPLIT}-{{fold}}.log",
    benchmark:
        f"results/benchmarks/predict_logits/{PREDICTED_SPLIT}-{{fold}}.tsv"
    params:
        tracks=label_rows(corpus.split(PREDICTED_SPLIT)),
        content=lambda wildcards: run.given.content(
            [f"{run.model.folder}/fusion/{wildcards.fold}.safetensors"]
        ),


rule tabulate_predictions:
    input:
        logits=[f"{PREDICTED}/logits/{path.stem}.parquet" for path in run.model.fusion],
        subjects=lambda wildcards: corpus.video(wildcards.video).folder("subjects"),
        timelines=lambda wildcards: corpus.video(wildcards.video).folder("timeline"),
    output:
        table=f"{PREDICTED}/{{video}}.parquet",
        csv=f"{PREDICTED}/{{video}}.csv",
        plot=f"{PREDICTED}/{{video}}.png",
    log:
        f"results/logs/tabulate_predictions/{PREDICTED_SPLIT}-{{video}}.log",
    benchmark:
        f"results/benchmarks/tabulate_predictions/{PREDICTED_SPLIT}-{{video}}.tsv"
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
        f"results/logs/draw_overlay/{PREDICTED_SPLIT}-{{video}}.log",
    benchmark:
        f"results/benchmarks/draw_overlay/{PREDICTED_SPLIT}-{{video}}.tsv"
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
        timelines=sorted(
            {corpus.video(name).folder("timeline") for name in corpus.paths}
        ),
    output:
        videos=f"{PREDICTED}/videos.tsv",
    log:
        f"results/logs/list_predictions/{PREDICTED_SPLIT}.log",
    benchmark:
        f"results/benchmarks/list_predictions/{PREDICTED_SPLIT}.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=rising(1000),
        runtime=rising(30),
        disk_mb=steady(100, tables=1),
    params:
        videos=corpus.paths,
        timelines={
            name: f"{corpus.video(name).folder('timeline')}/{name}.parquet"
            for name in corpus.paths
        },
        code=digest_of("list_predictions"),
    script:
        "../workflow_scripts/list_predictions.py"
