"""Reads  every video, results/timeline/{video}.parquet, the detector's weights
Writes results/faces/{video}.parquet
       results/subjects/{track}.parquet
       results/crops/{track}.parquet
"""


rule detect_faces:
    input:
        video=lambda wildcards: corpus.path_of(wildcards.video),
        timeline="results/timeline/{video}.parquet",
        model=detector_files(config),
    output:
        faces="results/faces/{video}.parquet",
    log:
        "results/logs/detect_faces/{video}.log",
    benchmark:
        "results/benchmarks/detect_faces/{video}.tsv"
    conda:
        "../envs/faces.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=240,
    params:
        detector=config["detector"]["name"],
        settings=config["detector"][config["detector"]["name"]],
        min_side_px=config["detector"]["min_side_px"],
        code=digest_of("detect_faces"),
    script:
        "../workflow_scripts/detect_faces.py"


rule select_subject:
    input:
        faces=lambda wildcards: f"results/faces/{corpus.track(wildcards.track).video}.parquet",
        timeline=lambda wildcards: f"results/timeline/{corpus.track(wildcards.track).video}.parquet",
    output:
        subject="results/subjects/{track}.parquet",
    log:
        "results/logs/select_subject/{track}.log",
    benchmark:
        "results/benchmarks/select_subject/{track}.tsv"
    conda:
        "../envs/faces.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        person=lambda wildcards: corpus.track(wildcards.track).person,
        overrides=lambda wildcards: corpus.overrides_of(wildcards.track),
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
        video=lambda wildcards: corpus.path_of(corpus.track(wildcards.track).video),
        subject="results/subjects/{track}.parquet",
    output:
        crops="results/crops/{track}.parquet",
    log:
        "results/logs/crop_faces/{track}.log",
    benchmark:
        "results/benchmarks/crop_faces/{track}.tsv"
    conda:
        "../envs/faces.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
    params:
        scales=config["crops"]["scales"],
        size_px=config["encoders"]["visual"]["resize_px"],
        jpeg_quality=config["crops"]["jpeg_quality"],
        code=digest_of("crop_faces"),
    script:
        "../workflow_scripts/crop_faces.py"
