"""Reads  results/crops/{batch}/{track}.parquet, results/subjects/{batch}/{track}.parquet
       results/stage1/backbone/ or results/imported/backbone/
       results/audio/{batch}/{video}.flac, results/audio_windows/{batch}/{video}.parquet, results/models/audio/
Writes results/features/visual/{shard}.npy, {shard}.parquet
       results/features/audio/{shard}.npy, {shard}.parquet

A shard holds the tracks of one split in some batches: loading an encoder takes longer than embedding a batch.
"""


rule dump_visual_features:
    input:
        encoder=local_if_given(adapted_encoder(config)),
        crops=lambda wildcards: corpus.folders("crops", corpus.shard(wildcards.shard)),
        subjects=lambda wildcards: corpus.folders(
            "subjects", corpus.shard(wildcards.shard)
        ),
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
        tracks=lambda wildcards: corpus.shard(wildcards.shard),
        scales=config["crops"]["scales"],
        image_px=config["encoders"]["visual"]["image_px"],
        batch_size=config["features"]["visual"]["batch_size"],
        dtype=config["features"]["visual"]["dtype"],
        device=config["compute"]["device"],
        num_threads=config["compute"]["num_threads"],
        code=digest_of("dump_visual_features"),
    script:
        "../workflow_scripts/dump_visual_features.py"


rule dump_audio_features:
    input:
        encoder=local_if_given(encoder_files(config, "audio")),
        audio=lambda wildcards: corpus.folders("audio", corpus.shard(wildcards.shard)),
        windows=lambda wildcards: corpus.folders(
            "audio_windows", corpus.shard(wildcards.shard)
        ),
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
        tracks=lambda wildcards: corpus.shard(wildcards.shard),
        videos=lambda wildcards: corpus.shard_videos(wildcards.shard),
        layers=config["features"]["audio"]["layers"],
        normalise=config["features"]["audio"]["normalise"],
        mode=config["features"]["audio"]["mode"],
        chunk_s=config["features"]["audio"]["chunk_s"],
        dtype=config["features"]["audio"]["dtype"],
        device=config["compute"]["device"],
        num_threads=config["compute"]["num_threads"],
        code=digest_of("dump_audio_features"),
    script:
        "../workflow_scripts/dump_audio_features.py"
