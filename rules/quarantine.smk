"""Reads  results/timeline/{batch}/{video}.parquet, results/audio/{batch}/{video}.flac
Writes results/quarantine.tsv, or results/predict/{folder}/quarantine.tsv for videos that are only predicted

A job that refuses a file and stops the run puts the file's row there itself: this rule then does not come to run.
"""

from frame_expressions.workflow.corpus import predicted_split

QUARANTINE = "results/quarantine.tsv"
if config["predict_videos"]:
    QUARANTINE = "results/predict/{}/quarantine.tsv".format(
        predicted_split(config).removeprefix("predict-")
    )


rule list_refused:
    input:
        timelines=corpus.folders("timeline", [row["track"] for row in corpus.rows]),
        audio=corpus.folders("audio", [row["track"] for row in corpus.rows]),
    output:
        quarantine=QUARANTINE,
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
            "corpus": {"on_bad_video": config["corpus"]["on_bad_video"]},
            "limits": config["limits"],
        },
        code=digest_of("list_refused"),
    script:
        "../workflow_scripts/list_refused.py"
