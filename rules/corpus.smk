"""Reads  annotations and videos of the corpus
Writes results/corpus/tracks.tsv

The tracks themselves are decided while this workflow is parsed, so that the whole graph is known at once and
a new video adds its own jobs only. Here the files behind them are read through, before any long work. Later
rules take the table as ancient(): it has to be there, but each of them depends on its own track's row alone.
"""


rule index_corpus:
    input:
        videos=corpus.video_paths,
        annotations=corpus.annotations,
        template=corpus.template or [],
    output:
        tracks="results/corpus/tracks.tsv",
    log:
        "results/logs/index_corpus.log",
    benchmark:
        "results/benchmarks/index_corpus.tsv"
    conda:
        "../envs/media.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        tracks=corpus.rows,
        on_bad_video=config["corpus"]["on_bad_video"],
        code=digest_of("index_corpus"),
    script:
        "../workflow_scripts/index_corpus.py"
