"""Reads  results/corpus/tracks.tsv
       results/fusion/official/test_logits.parquet, results/smoothing/official/best.json,
       results/timeline/{video}.parquet, the template
Writes results/submission/predictions.txt, check.json
"""


rule write_submission:
    input:
        tracks="results/corpus/tracks.tsv",
        logits="results/fusion/official/test_logits.parquet",
        best="results/smoothing/official/best.json",
        template=corpus.template or [],
        timelines=expand(
            "results/timeline/{video}.parquet", video=corpus.videos_in("test")
        ),
    output:
        predictions="results/submission/predictions.txt",
        check="results/submission/check.json",
    log:
        "results/logs/write_submission.log",
    benchmark:
        "results/benchmarks/write_submission.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        code=digest_of("write_submission"),
    script:
        "../workflow_scripts/write_submission.py"
