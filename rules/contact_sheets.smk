"""Reads  results/subjects/{batch}/{track}.parquet, crops/{batch}/{track}.parquet, faces/{batch}/{video}.parquet
       results/timeline/{batch}/{video}.parquet, frames/{batch}/{video}.parquet, or the video itself where frames.images is none
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
        subjects=lambda wildcards: corpus.folders("subjects", [wildcards.track]),
        faces=lambda wildcards: corpus.folders("faces", [wildcards.track]),
        timelines=lambda wildcards: corpus.folders("timeline", [wildcards.track]),
        frames=lambda wildcards: corpus.folders("frames", [wildcards.track]),
        crops=lambda wildcards: corpus.folders("crops", [wildcards.track]),
        video=lambda wildcards: (
            local(corpus.path_of(corpus.track(wildcards.track).video))
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
        mem_mb=rising(1000),
        runtime=rising(30),
        disk_mb=steady(100, frames=1, crops=1, faces=1),
    params:
        source=lambda wildcards: corpus.track(wildcards.track).video,
        num_frames=config["contact_sheets"]["num_frames"],
        num_changes=config["contact_sheets"]["num_changes"],
        frame_width_px=config["contact_sheets"]["frame_width_px"],
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
            caption="captions/contact_sheet.rst",
        ),
    log:
        "results/logs/index_contact_sheets.log",
    benchmark:
        "results/benchmarks/index_contact_sheets.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=rising(1000),
        runtime=rising(10),
        disk_mb=steady(100, sheets=2),
    params:
        code=digest_of("index_contact_sheets"),
    script:
        "../workflow_scripts/index_contact_sheets.py"
