"""Reads  every video, results/timeline/{batch}/{video}.parquet
Writes results/audio/{batch}/{video}.flac
       results/audio_windows/{batch}/{video}.parquet
"""

from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.resources import rising, steady


rule resample_audio:
    input:
        videos=lambda wildcards: run.given.inputs(corpus.batch(wildcards.batch).paths),
        timelines="results/timeline/{batch}",
    output:
        audio=directory("results/audio/{batch}"),
    log:
        "results/logs/resample_audio/{batch}.log",
    benchmark:
        "results/benchmarks/resample_audio/{batch}.tsv"
    conda:
        "../envs/media.yaml"
    threads: 1
    resources:
        mem_mb=rising(1000),
        runtime=rising(20, videos=0.5),
        disk_mb=steady(100, videos=3),
    params:
        videos=lambda wildcards: corpus.batch(wildcards.batch).names,
        quarantine=run.quarantine,
        stream=config["audio"]["stream"],
        code=digest_of("resample_audio"),
    script:
        "../workflow_scripts/resample_audio.py"


rule window_audio:
    input:
        audio="results/audio/{batch}",
        timelines="results/timeline/{batch}",
    output:
        windows=directory("results/audio_windows/{batch}"),
    log:
        "results/logs/window_audio/{batch}.log",
    benchmark:
        "results/benchmarks/window_audio/{batch}.tsv"
    conda:
        "../envs/media.yaml"
    threads: 1
    resources:
        mem_mb=rising(1000),
        runtime=rising(20),
        disk_mb=steady(100, audio=2),
    params:
        videos=lambda wildcards: corpus.batch(wildcards.batch).names,
        half_width_s=config["audio"]["half_width_s"],
        window_centre=config["audio"]["window_centre"],
        code=digest_of("window_audio"),
    script:
        "../workflow_scripts/window_audio.py"
