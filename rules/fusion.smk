"""Reads  results/features/{modality}/{shard}.npy, {shard}.parquet, the annotations
       results/corpus/folds.tsv or paper_folds.tsv
Writes results/fusion/{fold}/model.safetensors, val_logits.parquet, history.parquet, metrics.json
       results/fusion/{fold}/test_logits.parquet

Fold `official` is the corpus's own split, `cv<k>` and `paper<k>` are those of a cross-validation.
"""

from frame_expressions.corpora.folds import parts_tables
from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.corpus import label_rows
from frame_expressions.workflow.resources import rising, steady


rule train_fusion:
    input:
        visual=corpus.shard_files("visual", "npy", ["train", "validation"]),
        visual_index=corpus.shard_files("visual", "parquet", ["train", "validation"]),
        audio=corpus.shard_files("audio", "npy", ["train", "validation"]),
        audio_index=corpus.shard_files("audio", "parquet", ["train", "validation"]),
        annotations=run.given.inputs(corpus.annotations),
        folds=lambda wildcards: parts_tables(wildcards.fold),
    output:
        model="results/fusion/{fold}/model.safetensors",
        val_logits="results/fusion/{fold}/val_logits.parquet",
        history="results/fusion/{fold}/history.parquet",
        metrics="results/fusion/{fold}/metrics.json",
    log:
        "results/logs/train_fusion/{fold}.log",
    benchmark:
        "results/benchmarks/train_fusion/{fold}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: config["compute"]["num_threads"]
    resources:
        mem_mb=rising(4000),
        runtime=rising(240),
        disk_mb=steady(200, visual=1, audio=1),
        gpu=config["compute"]["gpus"],
    params:
        tracks=label_rows(corpus.labelled_tracks),
        fusion=config["fusion"],
        content=lambda wildcards: run.given.content(corpus.annotations),
        device=config["compute"]["device"],
        num_threads=config["compute"]["num_threads"],
        code=digest_of("train_fusion"),
    script:
        "../workflow_scripts/train_fusion.py"


rule predict_logits:
    input:
        model="results/fusion/{fold}/model.safetensors",
        visual=corpus.shard_files("visual", "npy", ["test"]),
        visual_index=corpus.shard_files("visual", "parquet", ["test"]),
        audio=corpus.shard_files("audio", "npy", ["test"]),
        audio_index=corpus.shard_files("audio", "parquet", ["test"]),
    output:
        logits="results/fusion/{fold}/test_logits.parquet",
    log:
        "results/logs/predict_logits/{fold}.log",
    benchmark:
        "results/benchmarks/predict_logits/{fold}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: config["compute"]["num_threads"]
    resources:
        mem_mb=rising(2000),
        runtime=rising(60),
        disk_mb=steady(200, visual=1, audio=1),
    params:
        tracks=label_rows(corpus.split("test")),
        missing=config["fusion"]["missing"]["prediction"],
        num_threads=config["compute"]["num_threads"],
        code=digest_of("predict_logits"),
    script:
        "../workflow_scripts/predict_logits.py"
