"""Reads  what the main pipeline reads and writes
Writes results/ablation/stage1/{stage1}-{run}/backbone/, metrics.json, ...
       results/ablation/features/{stage1}-{scales}-{run}/{shard}.npy, {shard}.parquet
       results/ablation/fusion/{configuration}-{run}/{fold}/val_logits.parquet, ...
       results/ablation/table.parquet, table.txt, table.png

The paper's comparisons, `snakemake ablation`: each configuration changes one thing in the method and takes the rest
from it; frame_expressions/workflow/ablation_plan.py lists them.
"""

from frame_expressions.corpora.folds import parts_tables
from frame_expressions.workflow.ablation_plan import METHOD, Ablation
from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.input_files import network_files
from frame_expressions.workflow.resources import rising, steady

ablation_plan = Ablation(config)


wildcard_constraints:
    stage1="[a-z_]+",
    scales="[a-z0-9.]+",
    run="[0-9]+",
    configuration="[a-z0-9_.]+",


rule ablation:
    input:
        "results/ablation/table.parquet",
        "results/ablation/table.txt",
        "results/ablation/table.png",


use rule train_stage1 as train_stage1_variant with:
    output:
        config="results/ablation/stage1/{stage1}-{run}/backbone/config.json",
        weights="results/ablation/stage1/{stage1}-{run}/backbone/model.safetensors",
        head="results/ablation/stage1/{stage1}-{run}/head.safetensors",
        history="results/ablation/stage1/{stage1}-{run}/history.parquet",
        metrics="results/ablation/stage1/{stage1}-{run}/metrics.json",
    log:
        "results/logs/train_stage1/{stage1}-{run}.log",
    benchmark:
        "results/benchmarks/train_stage1/{stage1}-{run}.tsv"
    params:
        stage1=lambda wildcards: ablation_plan.stage1_settings(
            wildcards.stage1, wildcards.run
        ),


use rule dump_visual_features as dump_visual_variant with:
    input:
        encoder=lambda wildcards: network_files(
            ablation_plan.backbone(wildcards.stage1, wildcards.run)
        ),
        crops=lambda wildcards: corpus.shard(wildcards.shard).folders("crops"),
        subjects=lambda wildcards: corpus.shard(wildcards.shard).folders("subjects"),
    output:
        features="results/ablation/features/{stage1}-{scales}-{run}/{shard}.npy",
        index="results/ablation/features/{stage1}-{scales}-{run}/{shard}.parquet",
    log:
        "results/logs/dump_visual_features/{stage1}-{scales}-{run}/{shard}.log",
    benchmark:
        "results/benchmarks/dump_visual_features/{stage1}-{scales}-{run}/{shard}.tsv"
    params:
        scales=lambda wildcards: ablation_plan.scales(wildcards.scales),


use rule train_fusion as train_fusion_variant with:
    input:
        visual=lambda wildcards: ablation_plan.visual_shards(
            wildcards.configuration,
            wildcards.run,
            corpus.shard_files("visual", "npy", ["train", "validation"]),
        ),
        visual_index=lambda wildcards: ablation_plan.visual_shards(
            wildcards.configuration,
            wildcards.run,
            corpus.shard_files("visual", "parquet", ["train", "validation"]),
        ),
        audio=corpus.shard_files("audio", "npy", ["train", "validation"]),
        audio_index=corpus.shard_files("audio", "parquet", ["train", "validation"]),
        annotations=run.given.inputs(corpus.annotations),
        folds=lambda wildcards: parts_tables(wildcards.fold),
    output:
        model="results/ablation/fusion/{configuration}-{run}/{fold}/model.safetensors",
        val_logits="results/ablation/fusion/{configuration}-{run}/{fold}/val_logits.parquet",
        history="results/ablation/fusion/{configuration}-{run}/{fold}/history.parquet",
        metrics="results/ablation/fusion/{configuration}-{run}/{fold}/metrics.json",
    log:
        "results/logs/train_fusion/{configuration}-{run}/{fold}.log",
    benchmark:
        "results/benchmarks/train_fusion/{configuration}-{run}/{fold}.tsv"
    params:
        fusion=lambda wildcards: ablation_plan.fusion_settings(
            wildcards.configuration, wildcards.run
        ),


rule tabulate_ablation:
    input:
        logits=[path for row in ablation_plan.rows for path in row["logits"]],
    output:
        table="results/ablation/table.parquet",
        text="results/ablation/table.txt",
        figure=report(
            "results/ablation/table.png",
            category="Ablation",
            caption="captions/ablation.rst",
        ),
    log:
        "results/logs/tabulate_ablation.log",
    benchmark:
        "results/benchmarks/tabulate_ablation.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=rising(2000, logits=20),
        runtime=rising(120),
        disk_mb=steady(100, logits=1),
    params:
        rows=ablation_plan.rows,
        method=METHOD,
        group_of=corpus.group_of,
        smoothing=config["smoothing"],
        evaluation=config["evaluation"],
        code=digest_of("tabulate_ablation"),
    script:
        "../workflow_scripts/tabulate_ablation.py"
