"""Reads  every video, results/timeline/{batch}/{video}.parquet, the detector's weights
Writes results/faces/{batch}/{video}.parquet
       results/subjects/{batch}/{track}.parquet
       results/crops/{batch}/{track}.parquet
"""


rule detect_faces:
    input:
        videos=lambda wildcards: local(corpus.paths_of(wildcards.batch)),
        timelines="results/timeline/{batch}",
        model=local_if_given(detector_files(config)),
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
        videos=lambda wildcards: corpus.videos_of(wildcards.batch),
        detector=config["detector"]["name"],
        settings=config["detector"][config["detector"]["name"]],
        min_side_px=config["detector"]["min_side_px"],
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
        tracks=lambda wildcards: corpus.persons_of(wildcards.batch),
        max_gap_s=config["subject"]["max_gap_s"],
        takeover_s=config["subject"]["takeover_s"],
        min_iou=config["subject"]["min_iou"],
        min_similarity=config["subject"]["min_similarity"],
        memory=config["subject"]["memory"],
        code=digest_of("select_subject"),
    script:
        "../workflow_scripts/select_subject.py"


rule crop_faces:
    input:
        videos=lambda wildcards: local(corpus.paths_of(wildcards.batch)),
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
        videos=lambda wildcards: corpus.videos_of(wildcards.batch),
        tracks=lambda wildcards: corpus.tracks_of(wildcards.batch),
        scales=config["crops"]["scales"],
        size_px=config["encoders"]["visual"]["resize_px"],
        jpeg_quality=config["crops"]["jpeg_quality"],
        code=digest_of("crop_faces"),
    script:
        "../workflow_scripts/crop_faces.py"
