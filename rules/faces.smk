"""Reads  every video, results/timeline/{batch}/{video}.parquet, the detector's weights
Writes results/faces/{batch}/{video}.parquet
       results/subjects/{batch}/{track}.parquet
       results/crops/{batch}/{track}.parquet
"""

from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.input_files import detector_files, detector_settings
from frame_expressions.workflow.resources import rising, steady


rule detect_faces:
    input:
        videos=lambda wildcards: run.given.inputs(corpus.batch(wildcards.batch).paths),
        timelines="results/timeline/{batch}",
        model=run.given.inputs(detector_files(config)),
    output:
        faces=directory("results/faces/{batch}"),
    log:
        "results/logs/detect_faces/{batch}.log",
    benchmark:
        "results/benchmarks/detect_faces/{batch}.tsv"
    conda:
        "../envs/faces.yaml"
    threads: 1
    resources:
        mem_mb=rising(2000),
        runtime=rising(30, videos=6),
        disk_mb=steady(100, videos=1.5),
    params:
        videos=lambda wildcards: corpus.batch(wildcards.batch).names,
        detector=detector_settings(config),
        content=lambda wildcards: run.given.content(detector_files(config)),
        code=digest_of("detect_faces"),
    script:
        "../workflow_scripts/detect_faces.py"


rule select_subject:
    input:
        faces="results/faces/{batch}",
        timelines="results/timeline/{batch}",
    output:
        subjects=directory("results/subjects/{batch}"),
    log:
        "results/logs/select_subject/{batch}.log",
    benchmark:
        "results/benchmarks/select_subject/{batch}.tsv"
    conda:
        "../envs/faces.yaml"
    threads: 1
    resources:
        mem_mb=rising(1000, faces=8),
        runtime=rising(20),
        disk_mb=steady(100, faces=2),
    params:
        tracks=lambda wildcards: corpus.person_rows(wildcards.batch),
        subject=config["subject"],
        code=digest_of("select_subject"),
    script:
        "../workflow_scripts/select_subject.py"


rule crop_faces:
    input:
        videos=lambda wildcards: run.given.inputs(corpus.batch(wildcards.batch).paths),
        subjects="results/subjects/{batch}",
    output:
        crops=directory("results/crops/{batch}"),
    log:
        "results/logs/crop_faces/{batch}.log",
    benchmark:
        "results/benchmarks/crop_faces/{batch}.tsv"
    conda:
        "../envs/faces.yaml"
    threads: 1
    resources:
        mem_mb=rising(1000),
        runtime=rising(30, videos=3),
        disk_mb=steady(100, videos=12),
    params:
        videos=lambda wildcards: corpus.batch(wildcards.batch).names,
        tracks=lambda wildcards: {
            track.track: track.video for track in corpus.batch(wildcards.batch).tracks
        },
        crops=config["crops"],
        size_px=config["encoders"]["visual"]["resize_px"],
        code=digest_of("crop_faces"),
    script:
        "../workflow_scripts/crop_faces.py"
