"""Reads  the weights that imported.backbone and imported.fusion name, the features of the validation tracks
Writes results/imported/backbone/config.json, model.safetensors
       results/fusion/imported/model.safetensors, val_logits.parquet

`snakemake import_weights` converts whichever of the two is configured. If both keys are null, no rule needs these
files.
"""

from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.corpus import label_rows
from frame_expressions.workflow.resources import rising, steady


localrules:
    import_weights,


rule import_weights:
    input:
        ["results/imported/backbone/model.safetensors"]
        if config["imported"]["backbone"]
        else [],
        ["results/fusion/imported/model.safetensors"]
        if config["imported"]["fusion"]["weights"]
        else [],


rule import_backbone:
    input:
        given=run.given.inputs(config["imported"]["backbone"] or []),
    output:
        config="results/imported/backbone/config.json",
        weights="results/imported/backbone/model.safetensors",
    log:
        "results/logs/import_backbone.log",
    benchmark:
        "results/benchmarks/import_backbone.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=rising(2000, given=4),
        runtime=rising(30),
        disk_mb=steady(100, given=2),
    params:
        image_px=config["encoders"]["visual"]["image_px"],
        content=lambda wildcards: run.given.content([config["imported"]["backbone"]]),
        code=digest_of("import_backbone"),
    script:
        "../workflow_scripts/import_backbone.py"


rule import_fusion:
    input:
        weights=run.given.inputs(config["imported"]["fusion"]["weights"] or []),
        visual_mean=run.given.inputs(config["imported"]["fusion"]["visual_mean"] or []),
        visual_std=run.given.inputs(config["imported"]["fusion"]["visual_std"] or []),
        audio_mean=run.given.inputs(config["imported"]["fusion"]["audio_mean"] or []),
        audio_std=run.given.inputs(config["imported"]["fusion"]["audio_std"] or []),
    output:
        model="results/fusion/imported/model.safetensors",
    log:
        "results/logs/import_fusion.log",
    benchmark:
        "results/benchmarks/import_fusion.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=rising(1000, weights=4),
        runtime=rising(10),
        disk_mb=steady(100, weights=2),
    params:
        content=lambda wildcards: run.given.content(
            list(config["imported"]["fusion"].values())
        ),
        code=digest_of("import_fusion"),
    script:
        "../workflow_scripts/import_fusion.py"


# A model that was trained elsewhere replaces a fold's model.
ruleorder: import_fusion > train_fusion
ruleorder: predict_imported > train_fusion


use rule predict_logits as predict_imported with:
    input:
        model="results/fusion/imported/model.safetensors",
        visual=corpus.shard_files("visual", "npy", ["validation"]),
        visual_index=corpus.shard_files("visual", "parquet", ["validation"]),
        audio=corpus.shard_files("audio", "npy", ["validation"]),
        audio_index=corpus.shard_files("audio", "parquet", ["validation"]),
        annotations=run.given.inputs(corpus.annotations),
    output:
        logits="results/fusion/imported/val_logits.parquet",
    log:
        "results/logs/predict_logits/imported-validation.log",
    benchmark:
        "results/benchmarks/predict_logits/imported-validation.tsv"
    params:
        tracks=label_rows(corpus.split("validation")),
        content=lambda wildcards: run.given.content(corpus.annotations),
