"""Reads  only the demo settings
Writes results/demo/affwild2/: videos, annotations, test template, in the organisers' layout
       results/demo/truth.parquet: what the test tracks show, which no rule reads
       results/demo/affectnet/, results/demo/rafdb/: image sets for Stage I, in their layouts
"""

from pathlib import Path

from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.corpus import DEMO_ROOT, demo_files
from frame_expressions.workflow.resources import rising, steady


rule make_demo_videos:
    output:
        files=local(demo_files(config)),
        truth=local("results/demo/truth.parquet"),
    log:
        "results/logs/make_demo_videos.log",
    benchmark:
        "results/benchmarks/make_demo_videos.tsv"
    conda:
        "../envs/faces.yaml"
    threads: config["compute"]["num_threads"]
    resources:
        mem_mb=rising(2000),
        runtime=rising(30),
        disk_mb=steady(1000),
    params:
        root=lambda wildcards: DEMO_ROOT,
        seed=config["demo"]["seed"],
        videos=config["demo"]["videos"],
        visual_gap_share=config["demo"]["visual_gap_share"],
        audio_gap_share=config["demo"]["audio_gap_share"],
        code=digest_of("make_demo_videos"),
    script:
        "../workflow_scripts/make_demo_videos.py"


rule make_demo_images:
    output:
        affectnet_train=local(
            "results/demo/affectnet/Manually_Annotated_file_lists/training.csv"
        ),
        affectnet_validation=local(
            "results/demo/affectnet/Manually_Annotated_file_lists/validation.csv"
        ),
        affectnet_images=local(
            directory("results/demo/affectnet/Manually_Annotated_Images")
        ),
        rafdb_list=local("results/demo/rafdb/EmoLabel/list_patition_label.txt"),
        rafdb_images=local(directory("results/demo/rafdb/Image/aligned")),
    log:
        "results/logs/make_demo_images.log",
    benchmark:
        "results/benchmarks/make_demo_images.tsv"
    conda:
        "../envs/faces.yaml"
    threads: config["compute"]["num_threads"]
    resources:
        mem_mb=rising(2000),
        runtime=rising(30),
        disk_mb=steady(1000),
    params:
        affectnet_root=lambda wildcards, output: Path(output.affectnet_images).parent,
        rafdb_root=lambda wildcards, output: Path(output.rafdb_images).parents[1],
        seed=config["demo"]["seed"],
        images=config["demo"]["images"],
        code=digest_of("make_demo_images"),
    script:
        "../workflow_scripts/make_demo_images.py"
