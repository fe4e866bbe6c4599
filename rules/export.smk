"""Reads  results/stage1/backbone/ or results/imported/backbone/, results/models/audio/
       results/fusion/{fold}/model.safetensors, results/smoothing/{fold}/best.json
       results/stage1/metrics.json, results/fusion/{fold}/metrics.json where they were trained here
Writes results/model/

`snakemake export_model` writes one folder that `predict` accepts on any machine (docs/contracts.md).
"""

from frame_expressions.prediction.exported_model import settings_of
from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.input_files import adapted_encoder, encoder_files
from frame_expressions.workflow.resources import rising, steady


rule export_model:
    input:
        visual=run.given.inputs(adapted_encoder(config)),
        audio=run.given.inputs(encoder_files(config, "audio")),
        fusion=expand(
            "results/fusion/{fold}/model.safetensors", fold=run.submitted_folds
        ),
        best=run.submitted_smoothing,
        stage1="results/stage1/metrics.json" if run.trains_stage1 else [],
        scores=expand(
            "results/fusion/{fold}/metrics.json",
            fold=run.trained_folds,
        ),
    output:
        model=directory("results/model"),
    log:
        "results/logs/export_model.log",
    benchmark:
        "results/benchmarks/export_model.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=rising(1000),
        runtime=rising(20),
        disk_mb=steady(100, visual=2, audio=2, fusion=2),
    params:
        settings=settings_of(config),
        content=lambda wildcards: run.given.content(
            adapted_encoder(config) + encoder_files(config, "audio")
        ),
        code=digest_of("export_model"),
    script:
        "../workflow_scripts/export_model.py"
