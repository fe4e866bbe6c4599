"""Reads  the weights that imported.backbone and imported.gates name, the features of the validation tracks
Writes results/imported/backbone/config.json, model.safetensors
       results/fusion/{fold}/model.safetensors, results/fusion/imported/val_logits.parquet

The fold of a single gate is `imported`, the folds of several are `imported0`, `imported1`, ... On the validation tracks,
their mean logits are scored, as those of the fold `imported`. `snakemake import_weights` converts what is configured. If
both keys are null, no rule needs these files.
"""

from frame_expressions.corpora.folds import imported_gates
from frame_expressions.fusion.gate_files import gate_files
from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.corpus import label_rows
from frame_expressions.workflow.resources import rising, steady

GATES = imported_gates(config)


localrules:
    import_weights,


rule import_weights:
    input:
        ["results/imported/backbone/model.safetensors"]
        if config["imported"]["backbone"]
        else [],
        expand("results/fusion/{fold}/model.safetensors", fold=GATES),


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
        weights=lambda wildcards: run.given.inputs(gate_files(GATES[wildcards.fold])[0]),
        statistics=lambda wildcards: run.given.inputs(
            gate_files(GATES[wildcards.fold])[1:]
        ),
    output:
        model="results/fusion/{fold,imported[0-9]*}/model.safetensors",
    log:
        "results/logs/import_fusion/{fold}.log",
    benchmark:
        "results/benchmarks/import_fusion/{fold}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=rising(1000, weights=4),
        runtime=rising(10),
        disk_mb=steady(100, weights=2),
    params:
        content=lambda wildcards: run.given.content(gate_files(GATES[wildcards.fold])),
        code=digest_of("import_fusion"),
    script:
        "../workflow_scripts/import_fusion.py"


# A model that was trained elsewhere replaces a fold's model.
ruleorder: import_fusion > train_fusion
ruleorder: predict_imported > train_fusion


use rule predict_logits as predict_imported with:
    input:
        model=expand(
            "results/fusion/{fold}/model.safetensors", fold=GATES or ["imported"]
        ),
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
