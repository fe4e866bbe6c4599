"""Reads  results/corpus/tracks.tsv, the annotations, results/timeline/, subjects/ and audio/{batch}/
       results/contact_sheets/doubt.tsv, {track}.jpg, the image sets, results/submission/check.json
       results/stage1/history.parquet, metrics.json, results/fusion/{fold}/history.parquet, val_logits.parquet
       results/smoothing/{fold}/search.parquet, best.json, results/evaluation/{protocol}/scores.json, tracks.parquet
       results/ablation/table.parquet where it is there already, and the run times in results/benchmarks/
Writes results/report.html, training_curves.png

`snakemake report` puts all of it onto one page. What imported weights take the place of is left out, and the page says
so. It asks for no ablation; one that was made is brought up to date first (`snakemake -n report` lists what runs).
"""

REPORTED_PROTOCOL = (
    config["cross_validation"]["protocol"]
    if len(SUBMITTED_FOLDS) > 1
    else SUBMITTED_FOLDS[0]
)
ABLATION_TABLE = "results/ablation/table.parquet"
IS_STAGE1_TRAINED = not config["imported"]["backbone"]


rule report:
    input:
        "results/report.html",


rule write_report:
    input:
        tracks="results/corpus/tracks.tsv",
        annotations=local(corpus.annotations),
        timelines=corpus.folders("timeline", [row["track"] for row in corpus.rows]),
        subjects=corpus.folders("subjects", [row["track"] for row in corpus.rows]),
        audio=corpus.folders("audio", [row["track"] for row in corpus.rows]),
        doubt="results/contact_sheets/doubt.tsv",
        sheets=expand(
            "results/contact_sheets/{track}.jpg",
            track=[row["track"] for row in corpus.rows],
        ),
        check="results/submission/check.json",
        scores=f"results/evaluation/{REPORTED_PROTOCOL}/scores.json",
        track_scores=f"results/evaluation/{REPORTED_PROTOCOL}/tracks.parquet",
        logits=expand("results/fusion/{fold}/val_logits.parquet", fold=SUBMITTED_FOLDS),
        best=expand("results/smoothing/{fold}/best.json", fold=SUBMITTED_FOLDS),
        search=SUBMITTED_SMOOTHING.replace("best.json", "search.parquet"),
        submitted=SUBMITTED_SMOOTHING,
        images=local(image_set_files(config)) if IS_STAGE1_TRAINED else [],
        stage1_history="results/stage1/history.parquet" if IS_STAGE1_TRAINED else [],
        stage1_metrics="results/stage1/metrics.json" if IS_STAGE1_TRAINED else [],
        fusion_histories=expand(
            "results/fusion/{fold}/history.parquet",
            fold=[fold for fold in SUBMITTED_FOLDS if fold != "imported"],
        ),
        ablation=ABLATION_TABLE if Path(ABLATION_TABLE).exists() else [],
    output:
        page=report(
            "results/report.html",
            category="Report",
            caption="captions/report.rst",
        ),
        curves=report(
            "results/training_curves.png",
            category="Training",
            caption="captions/training.rst",
        ),
    log:
        "results/logs/write_report.log",
    benchmark:
        "results/benchmarks/write_report.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=rising(2000, logits=20),
        runtime=rising(30),
        disk_mb=steady(200, logits=1, sheets=2),
    params:
        protocol=REPORTED_PROTOCOL,
        method=METHOD,
        image_sets=config["stage1"]["image_sets"] if IS_STAGE1_TRAINED else [],
        holdout=config["stage1"]["holdout"],
        padaug=config["stage1"]["padaug"],
        stored_px=config["encoders"]["visual"]["resize_px"],
        image_px=config["encoders"]["visual"]["image_px"],
        group_of=corpus.group_of,
        num_resamples=config["evaluation"]["num_resamples"],
        seed=config["evaluation"]["seed"],
        benchmarks="results/benchmarks",
        config=config,  # the page shows it whole
        code=digest_of("write_report"),
    script:
        "../workflow_scripts/write_report.py"
