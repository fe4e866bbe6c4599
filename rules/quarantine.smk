"""Reads  results/timeline/{batch}/{video}.parquet, results/audio/{batch}/{video}.flac
Writes results/quarantine.tsv, or results/predict/{folder}/quarantine.tsv for videos that are only predicted

A job that refuses a file and stops the run writes the file's row itself, because this rule does not run then.
"""

from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.resources import rising, steady


rule list_refused:
    input:
        timelines=corpus.folders("timeline"),
        audio=corpus.folders("audio"),
    output:
        quarantine=run.quarantine,
    log:
        "results/logs/list_refused.log",
    benchmark:
        "results/benchmarks/list_refused.tsv"
    conda:
        "../envs/media.yaml"
    threads: 1
    resources:
        mem_mb=rising(1000),
        runtime=rising(20),
        disk_mb=steady(100, timelines=1, audio=1),
    params:
        videos=corpus.paths,
        refusing={
            "execution": {
                name: config["execution"][name] for name in ("on_bad_video", "limits")
            }
        },
        code=digest_of("list_refused"),
    script:
        "../workflow_scripts/list_refused.py"
