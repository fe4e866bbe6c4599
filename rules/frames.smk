"""Reads  every video of the corpus
Writes results/timeline/{batch}/{video}.parquet
       results/frames/{batch}/{video}.parquet

A job takes a batch of videos, named after its first one; each video and track has a file of its own.
execution.on_bad_video and execution.limits are not params: a change for one bad video would re-run every batch. See
list_refused.
"""

from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.resources import rising, steady


rule extract_frames:
    input:
        videos=lambda wildcards: run.given.inputs(corpus.batch(wildcards.batch).paths),
    output:
        timelines=directory("results/timeline/{batch}"),
        frames=directory("results/frames/{batch}"),
    log:
        "results/logs/extract_frames/{batch}.log",
    benchmark:
        "results/benchmarks/extract_frames/{batch}.tsv"
    conda:
        "../envs/media.yaml"
    threads: 1
    resources:
        mem_mb=rising(1000),
        runtime=rising(20, videos=1),
        disk_mb=steady(100, videos=3),
    params:
        videos=lambda wildcards: corpus.batch(wildcards.batch).names,
        frames=config["frames"],
        quarantine=run.quarantine,
        content=lambda wildcards: run.given.content(corpus.batch(wildcards.batch).paths),
        code=digest_of("extract_frames"),
    script:
        "../workflow_scripts/extract_frames.py"
