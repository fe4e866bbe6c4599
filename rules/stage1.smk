"""Reads  the image sets, results/models/visual/
Writes results/stage1/images.tsv
       results/stage1/backbone/config.json, model.safetensors
       results/stage1/head.safetensors, history.parquet, metrics.json

execution.on_bad_image is not a parameter: a change re-runs no finished job. A check that stops the run lists the faulty
images in results/stage1/faulty_images.tsv, because Snakemake deletes the output of a job that fails.
"""

from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.input_files import encoder_files, image_set_files
from frame_expressions.workflow.resources import rising, steady


rule check_images:
    input:
        lists=run.given.inputs(image_set_files(config)),
    output:
        table="results/stage1/images.tsv",
    log:
        "results/logs/check_images.log",
    benchmark:
        "results/benchmarks/check_images.tsv"
    conda:
        "../envs/torch.yaml"
    threads: config["compute"]["num_threads"]
    resources:
        mem_mb=rising(1500 + 500 * config["compute"]["num_threads"]),
        runtime=rising(120),
        disk_mb=steady(100),
    params:
        image_sets=config["stage1"]["image_sets"],
        holdout=config["stage1"]["holdout"],
        refused="results/stage1/faulty_images.tsv",
        content=lambda wildcards: run.given.content(image_set_files(config)),
        code=digest_of("check_images"),
    script:
        "../workflow_scripts/check_images.py"


rule train_stage1:
    input:
        faulty_images="results/stage1/images.tsv",
        encoder=run.given.inputs(encoder_files(config, "visual")),
        images=run.given.inputs(image_set_files(config)),
    output:
        config="results/stage1/backbone/config.json",
        weights="results/stage1/backbone/model.safetensors",
        head="results/stage1/head.safetensors",
        history="results/stage1/history.parquet",
        metrics="results/stage1/metrics.json",
    log:
        "results/logs/train_stage1.log",
    benchmark:
        "results/benchmarks/train_stage1.tsv"
    conda:
        "../envs/torch.yaml"
    threads: config["compute"]["num_threads"]
    resources:
        mem_mb=rising(
            config["stage1"]["num_processes"]
            * (3000 + 1000 * config["execution"]["num_workers"]),
            encoder=8 * config["stage1"]["num_processes"],
        ),
        runtime=rising(1440),
        disk_mb=steady(500, encoder=8),
        # One GPU per process, if GPUs are used at all.
        gpu=config["stage1"]["num_processes"] * (config["compute"]["gpus"] > 0),
    params:
        stage1=config["stage1"],
        stored_px=config["encoders"]["visual"]["resize_px"],
        image_px=config["encoders"]["visual"]["image_px"],
        content=lambda wildcards: run.given.content(
            encoder_files(config, "visual") + image_set_files(config)
        ),
        device=config["compute"]["device"],
        num_threads=config["compute"]["num_threads"],
        code=digest_of("train_stage1"),
    script:
        "../workflow_scripts/train_stage1.py"
