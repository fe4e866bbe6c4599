"""Reads  every video, results/timeline/{video}.parquet
Writes results/audio/{video}.flac
       results/audio_windows/{video}.parquet
"""


rule resample_audio:
    input:
        video=lambda wildcards: corpus.path_of(wildcards.video),
        timeline="results/timeline/{video}.parquet",
    output:
        audio="results/audio/{video}.flac",
    log:
        "results/logs/resample_audio/{video}.log",
    benchmark:
        "results/benchmarks/resample_audio/{video}.tsv"
    conda:
        "../envs/media.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        code=digest_of("resample_audio"),
    script:
        "../workflow_scripts/resample_audio.py"


rule window_audio:
    input:
        audio="results/audio/{video}.flac",
        timeline="results/timeline/{video}.parquet",
    output:
        windows="results/audio_windows/{video}.parquet",
    log:
        "results/logs/window_audio/{video}.log",
    benchmark:
        "results/benchmarks/window_audio/{video}.tsv"
    conda:
        "../envs/media.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        half_width_s=config["audio"]["half_width_s"],
        code=digest_of("window_audio"),
    script:
        "../workflow_scripts/window_audio.py"
