"""Reads  annotations and videos of the corpus
Writes results/corpus/tracks.tsv

The tracks are determined, and annotations and template are read, while the workflow is parsed. The whole graph is
therefore known immediately, a new video only runs its own batch, and a fault stops the run before any work. This table
is for people and for the submission.
"""

from dataclasses import asdict

from frame_expressions.workflow.code_digest import digest_of
from frame_expressions.workflow.resources import rising, steady


rule index_corpus:
    input:
        videos=run.given.inputs(list(corpus.paths.values())),
        annotations=run.given.inputs(corpus.annotations),
        template=run.given.inputs(corpus.template or []),
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
        mem_mb=rising(1000),
        runtime=rising(20),
        disk_mb=steady(100),
    params:
        tracks=[asdict(track) for track in corpus.tracks],
        on_bad_video=config["execution"]["on_bad_video"],
        content=lambda wildcards: run.given.content(
            [*corpus.annotations, *([corpus.template] if corpus.template else [])]
        ),
        code=digest_of("index_corpus"),
    script:
        "../workflow_scripts/index_corpus.py"
