"""Reads  results/subjects/{track}.parquet, faces/{video}.parquet, timeline/{video}.parquet, crops/{track}.parquet
       results/frames/{video}.parquet, or the video itself where frames.images is none
Writes results/contact_sheets/{track}.jpg, {track}.json
       results/contact_sheets/index.html, doubt.tsv

`snakemake contact_sheets` makes them all: who was chosen in every track, the most doubtful tracks first.
"""


rule contact_sheets:
    input:
        "results/contact_sheets/index.html",
        "results/contact_sheets/doubt.tsv",


rule draw_contact_sheet:
    input:
        subject="results/subjects/{track}.parquet",
        faces=lambda wildcards: f"results/faces/{corpus.track(wildcards.track).video}.parquet",
        timeline=lambda wildcards: f"results/timeline/{corpus.track(wildcards.track).video}.parquet",
        frames=lambda wildcards: f"results/frames/{corpus.track(wildcards.track).video}.parquet",
        crops="results/crops/{track}.parquet",
        video=lambda wildcards: (
            corpus.path_of(corpus.track(wildcards.track).video)
            if config["frames"]["images"] == "none"
            else []
        ),
    output:
        sheet="results/contact_sheets/{track}.jpg",
        figures="results/contact_sheets/{track}.json",
    log:
        "results/logs/draw_contact_sheet/{track}.log",
    benchmark:
        "results/benchmarks/draw_contact_sheet/{track}.tsv"
    conda:
        "../envs/faces.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        num_frames=config["contact_sheets"]["num_frames"],
        num_changes=config["contact_sheets"]["num_changes"],
        picture_px=config["contact_sheets"]["picture_px"],
        jpeg_quality=config["contact_sheets"]["jpeg_quality"],
        code=digest_of("draw_contact_sheet"),
    script:
        "../workflow_scripts/draw_contact_sheet.py"


rule index_contact_sheets:
    input:
        sheets=expand(
            "results/contact_sheets/{track}.jpg",
            track=[track.track for track in corpus.tracks],
        ),
        figures=expand(
            "results/contact_sheets/{track}.json",
            track=[track.track for track in corpus.tracks],
        ),
    output:
        page="results/contact_sheets/index.html",
        table=report(
            "results/contact_sheets/doubt.tsv",
            category="Contact sheets",
            caption="../workflow_scripts/captions/contact_sheet.rst",
        ),
    log:
        "results/logs/index_contact_sheets.log",
    benchmark:
        "results/benchmarks/index_contact_sheets.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=digest_of("index_contact_sheets"),
    script:
        "../workflow_scripts/index_contact_sheets.py"
