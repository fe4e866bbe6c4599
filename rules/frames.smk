"""Reads  every video of the corpus
Writes results/timeline/{batch}/{video}.parquet
       results/frames/{batch}/{video}.parquet

A job takes a batch of videos, named after its first one; each video and track has a file of its own.
corpus.on_bad_video and limits are no params, which would re-run every batch where they change for one bad video: see
list_refused.
"""


rule extract_frames:
    input:
        videos=lambda wildcards: local(corpus.paths_of(wildcards.batch)),
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
        videos=lambda wildcards: corpus.videos_of(wildcards.batch),
        images=config["frames"]["images"],
        thumbnail_px=config["frames"]["thumbnail_px"],
        jpeg_quality=config["frames"]["jpeg_quality"],
        quarantine=QUARANTINE,
        code=digest_of("extract_frames"),
    script:
        "../workflow_scripts/extract_frames.py"
