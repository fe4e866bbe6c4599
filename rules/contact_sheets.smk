"""Reads  results/subjects/{batch}/{track}.parquet, crops/{batch}/{track}.parquet, faces/{batch}/{video}.parquet
       results/timeline/{batch}/{video}.parquet, frames/{batch}/{video}.parquet, or the video itself where frames.images is none
Writes results/contact_sheets/{track}.jpg, {track}.json
       results/contact_sheets/index.html, doubt.tsv

`snakemake contact_sheets` makes them all: who was chosen in every track, the most doubtful tracks first.
"""

from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.resources import rising, steady


rule contact_sheets:
    input:
        "results/contact_sheets/index.html",
        "results/contact_sheets/doubt.tsv",


rule draw_contact_sheet:
    input:
        subjects=lambda wildcards: corpus.video_of(wildcards.track).folder("subjects"),
        faces=lambda wildcards: corpus.video_of(wildcards.track).folder("faces"),
        timelines=lambda wildcards: corpus.video_of(wildcards.track).folder("timeline"),
        frames=lambda wildcards: corpus.video_of(wildcards.track).folder("frames"),
        crops=lambda wildcards: corpus.video_of(wildcards.track).folder("crops"),
        video=lambda wildcards: (
            run.given.inputs(corpus.video_of(wildcards.track).path)
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
        contact_sheets=config["contact_sheets"],
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
