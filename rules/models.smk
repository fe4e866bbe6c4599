"""Reads  the hub, or an architecture in config.yaml
Writes results/models/{modality}/config.json, model.safetensors, preprocessor_config.json, source.json
       results/models/insightface/models/{pack}.json and the pack's .onnx files

`snakemake fetch_models` downloads all weights, so that no later job needs the network.
"""

from frame_expressions.encoders.processor_config import preprocessor_config
from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.input_files import detector_files, encoder_files
from frame_expressions.workflow.resources import rising, steady


localrules:
    fetch_models,
    prepare_encoder,
    fetch_detector,


rule fetch_models:
    input:
        run.given.inputs(encoder_files(config, "visual")),
        run.given.inputs(encoder_files(config, "audio")),
        run.given.inputs(detector_files(config)),


rule prepare_encoder:
    output:
        config="results/models/{modality}/config.json",
        weights="results/models/{modality}/model.safetensors",
        preprocessor="results/models/{modality}/preprocessor_config.json",
        record="results/models/{modality}/source.json",
    log:
        "results/logs/prepare_encoder/{modality}.log",
    benchmark:
        "results/benchmarks/prepare_encoder/{modality}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=rising(6000),
        runtime=rising(60),
        disk_mb=steady(5000),
    params:
        source=lambda wildcards: config["encoders"][wildcards.modality]["source"],
        architecture=lambda wildcards: config["encoders"][wildcards.modality][
            "architecture"
        ],
        preprocessor=lambda wildcards: preprocessor_config(
            config["encoders"][wildcards.modality]
        ),
        hub=lambda wildcards: config["encoders"][wildcards.modality]["hub"],
        revision=lambda wildcards: config["encoders"][wildcards.modality]["revision"],
        sha256=lambda wildcards: config["encoders"][wildcards.modality]["sha256"],
        seed=lambda wildcards: config["encoders"][wildcards.modality]["seed"],
        code=digest_of("prepare_encoder"),
    script:
        "../workflow_scripts/prepare_encoder.py"


rule fetch_detector:
    output:
        record="results/models/insightface/models/{pack}.json",
    log:
        "results/logs/fetch_detector/{pack}.log",
    benchmark:
        "results/benchmarks/fetch_detector/{pack}.tsv"
    conda:
        "../envs/faces.yaml"
    threads: 1
    resources:
        mem_mb=rising(2000),
        runtime=rising(60),
        disk_mb=steady(1000),
    params:
        code=digest_of("fetch_detector"),
    script:
        "../workflow_scripts/fetch_detector.py"
