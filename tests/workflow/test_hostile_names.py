"""Names and settings that a shell, Snakemake or YAML could misinterpret, in a real run."""

import shutil

import pytest
import yaml

from frame_expressions.corpora.tracks import read_tracks
from frame_expressions.workflow.batches import divide_into_batches
from tests.media import make_video

NAMES = [
    "-rf.mp4",
    "a  b .mp4",
    'it\'s "so" `touch canary` $(touch canary).mp4',
    ";touch canary;&|<>#!.mp4",
    "[0-9]*?~.mp4",
    "%s%(x)s%d.mp4",
    "\\n\\.mp4",
    "http:x,y=z@1.mp4",
    "concat:a|b.mp4",
    "é漢.mp4",
    "Screen Recording at 9.41\u202fAM.mp4",  # macOS
    "\u200eVID\u00a0a\u3000b\u00ad\u2067c.mp4",  # WhatsApp, Japanese keyboards
    "👩\u200d💻🫩.mp4",  # newer than Python's list of characters
    "..mp4.mp4",
    "x" * 251 + ".mp4",
]


@pytest.fixture(scope="module")
def project(checkout):
    """A checkout with a table of one video under many names."""
    project = checkout("names")
    folder = project.root / "given videos"
    folder.mkdir()
    make_video(folder / NAMES[0], range(0, 40, 4))
    for name in NAMES[1:]:
        shutil.copy(folder / NAMES[0], folder / name)
    rows = [f'v{number}\t"{name.replace(chr(34), 2 * chr(34))}"\tv{number}\ttest' for number, name in enumerate(NAMES)]
    (folder / "tracks.tsv").write_text("\n".join(["track\tpath\tvideo\tsplit", *rows]) + "\n")
    (project.root / "images.csv").write_text("image,expression\n")
    _overlay(project, {"table": str(folder / "tracks.tsv"), "videos_per_batch": 100})
    return project


def _overlay(project, corpus, **settings):
    images = {"image_sets": [{"name": "mine", "layout": "table", "root": "images.csv"}]}
    overlay = {"corpus": {"layout": "table"} | corpus, "stage1": images, **settings}
    (project.root / "overlay.yaml").write_text(yaml.safe_dump(overlay))


def test_any_accepted_name_refers_to_its_file_and_nothing_else(project):
    batches = divide_into_batches({f"v{number}": {"test"} for number in range(len(NAMES))}, 100)
    targets = [f"results/audio/{batch}" for batch in batches]
    before = {path.name for path in project.root.iterdir()}
    project.run("--cores", "1", *targets, "results/corpus/tracks.tsv", "--configfile", "overlay.yaml")
    assert {path.name for path in project.root.iterdir()} - before <= {"results", ".snakemake"}
    tracks = read_tracks(project.root / "results/corpus/tracks.tsv")
    assert [track.path.rpartition("/")[2] for track in tracks] == NAMES
    made = {path.stem for path in project.root.glob("results/audio/*/*.flac")}
    assert made == {f"v{number}" for number in range(len(NAMES))}


def test_code_in_a_configuration_is_not_run(project):
    (project.root / "evil.yaml").write_text("corpus: !!python/object/apply:os.mkdir [canary]\n")
    done = project.snakemake("--cores", "1", "-n", "submission", "--configfile", "evil.yaml")
    assert done.returncode != 0 and "Config file is not valid JSON or YAML" in done.stdout
    assert not (project.root / "canary").exists()
