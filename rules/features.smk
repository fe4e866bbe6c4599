"""Reads  results/crops/{batch}/{track}.parquet, results/subjects/{batch}/{track}.parquet
       results/stage1/backbone/ or results/imported/backbone/
       results/audio/{batch}/{video}.flac, results/audio_windows/{batch}/{video}.parquet, results/models/audio/
Writes results/features/visual/{shard}.npy, {shard}.parquet
       results/features/audio/{shard}.npy, {shard}.parquet

A shard holds the tracks of one split in some batches: loading an encoder takes longer than embedding a batch.
"""

from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.input_files import adapted_encoder, encoder_files
from frame_expressions.workflow.resources import rising, steady


rule dump_visual_features:
    input:
        encoder=run.given.inputs(adapted_encoder(config)),
        crops=lambda wildcards: corpus.shard(wildcards.shard).folders("crops"),
        subjects=lambda wildcards: corpus.shard(wildcards.shard).folders("subjects"),
    output:
        features="results/features/visual/{shard}.npy",
        index="results/features/visual/{shard}.parquet",
    log:
        "results/logs/dump_visual_features/{shard}.log",
    benchmark:
        "results/benchmarks/dump_visual_features/{shard}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: config["compute"]["num_threads"]
    resources:
        mem_mb=rising(3000, encoder=4),
        runtime=rising(240),
        disk_mb=steady(200, encoder=1, crops=1.2),
        gpu=config["compute"]["gpus"],
    params:
        tracks=lambda wildcards: corpus.shard(wildcards.shard).names,
        scales=config["crops"]["scales"],
        image_px=config["encoders"]["visual"]["image_px"],
        features=config["features"]["visual"],
        content=lambda wildcards: run.given.content(adapted_encoder(config)),
        device=config["compute"]["device"],
        num_threads=config["compute"]["num_threads"],
        code=digest_of("dump_visual_features"),
    script:
        "../workflow_scripts/dump_visual_features.py"


rule dump_audio_features:
    input:
        encoder=run.given.inputs(encoder_files(config, "audio")),
        audio=lambda wildcards: corpus.shard(wildcards.shard).folders("audio"),
        windows=lambda wildcards: corpus.shard(wildcards.shard).folders("audio_windows"),
    output:
        features="results/features/audio/{shard}.npy",
        index="results/features/audio/{shard}.parquet",
    log:
        "results/logs/dump_audio_features/{shard}.log",
    benchmark:
        "results/benchmarks/dump_audio_features/{shard}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: config["compute"]["num_threads"]
    resources:
        mem_mb=rising(3000, encoder=4),
        runtime=rising(240),
        disk_mb=steady(200, encoder=1, audio=10),
        gpu=config["compute"]["gpus"],
    params:
        tracks=lambda wildcards: corpus.shard(wildcards.shard).names,
        videos=lambda wildcards: corpus.shard(wildcards.shard).videos,
        features=config["features"]["audio"],
        silence=config["audio"]["silence"],
        content=lambda wildcards: run.given.content(encoder_files(config, "audio")),
        device=config["compute"]["device"],
        num_threads=config["compute"]["num_threads"],
        code=digest_of("dump_audio_features"),
    script:
        "../workflow_scripts/dump_audio_features.py"
