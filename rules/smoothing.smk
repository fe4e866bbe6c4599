"""Reads  results/fusion/{fold}/val_logits.parquet
Writes results/smoothing/{fold}/search.parquet, best.json, curve.png
"""


rule search_smoothing:
    input:
        logits="results/fusion/{fold}/val_logits.parquet",
    output:
        table="results/smoothing/{fold}/search.parquet",
        best="results/smoothing/{fold}/best.json",
        curve=report(
            "results/smoothing/{fold}/curve.png",
            category="Smoothing",
            labels={"fold": "{fold}"},
            caption="../workflow_scripts/captions/smoothing.rst",
        ),
    log:
        "results/logs/search_smoothing/{fold}.log",
    benchmark:
        "results/benchmarks/search_smoothing/{fold}.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        kinds=config["smoothing"]["kinds"],
        windows=config["smoothing"]["windows"],
        code=digest_of("search_smoothing"),
    script:
        "../workflow_scripts/search_smoothing.py"
