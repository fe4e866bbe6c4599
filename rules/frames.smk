"""Reads  every video of the corpus
Writes results/timeline/{video}.parquet
       results/frames/{video}.parquet
"""


rule extract_frames:
    input:
        video=lambda wildcards: corpus.path_of(wildcards.video),
    output:
        timeline="results/timeline/{video}.parquet",
        frames="results/frames/{video}.parquet",
    log:
        "results/logs/extract_frames/{video}.log",
    benchmark:
        "results/benchmarks/extract_frames/{video}.tsv"
    conda:
        "../envs/media.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        images=config["frames"]["images"],
        thumbnail_px=config["frames"]["thumbnail_px"],
        jpeg_quality=config["frames"]["jpeg_quality"],
        on_bad_video=config["corpus"]["on_bad_video"],
        code=digest_of("extract_frames"),
    script:
        "../workflow_scripts/extract_frames.py"
