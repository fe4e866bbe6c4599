"""Reads  results/stage1/backbone/ or results/imported/backbone/, results/models/audio/
       results/fusion/{fold}/model.safetensors, results/smoothing/{fold}/best.json
       results/stage1/metrics.json, results/fusion/{fold}/metrics.json where they were trained here
Writes results/model/

`snakemake export_model` leaves one folder that `predict` takes on any machine (docs/contracts.md).
"""


rule export_model:
    input:
        visual=local_if_given(adapted_encoder(config)),
        audio=local_if_given(encoder_files(config, "audio")),
        fusion=expand("results/fusion/{fold}/model.safetensors", fold=SUBMITTED_FOLDS),
        best=SUBMITTED_SMOOTHING,
        stage1=[] if config["imported"]["backbone"] else "results/stage1/metrics.json",
        scores=expand(
            "results/fusion/{fold}/metrics.json",
            fold=[fold for fold in SUBMITTED_FOLDS if fold != "imported"],
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
        code=digest_of("export_model"),
    script:
        "../workflow_scripts/export_model.py"
