"""Reads  nothing but the demo settings
Writes results/demo/affwild2/: videos, annotations, test template, in the organisers' layout
       results/demo/truth.parquet: what the test tracks show, which no other rule reads
       results/demo/affectnet/, results/demo/rafdb/: image sets for Stage I
"""

from workflow_scripts.lib.corpora.corpus import demo_files


rule make_demo_videos:
    output:
        files=demo_files(config),
        truth="results/demo/truth.parquet",
    log:
        "results/logs/make_demo_videos.log",
    benchmark:
        "results/benchmarks/make_demo_videos.tsv"
    conda:
        "../envs/faces.yaml"
    threads: config["compute"]["num_threads"]
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        root="results/demo/affwild2",
        seed=config["demo"]["seed"],
        videos=config["demo"]["videos"],
        code=digest_of("make_demo_videos"),
    script:
        "../workflow_scripts/make_demo_videos.py"
