"""Whatever a table, annotation or template holds: a value that fits its docstring, or one sentence."""

import io
import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from safetensors.torch import save

from frame_expressions.artifacts.vocabulary import ABSENT, EXPRESSIONS
from frame_expressions.challenge.annotations import read_annotation
from frame_expressions.challenge.submission import check_predictions, write_track_files
from frame_expressions.challenge.templates import read_template, template_tracks
from frame_expressions.corpora.image_sets import read_image_set
from frame_expressions.corpora.overrides import read_overrides
from frame_expressions.corpora.track_table import scan_table
from frame_expressions.corpora.tracks import Track, check_tracks, read_tracks, write_tracks
from frame_expressions.faces.person_spec import parse_person_spec
from frame_expressions.networks.published_weights import read_state_dict, read_vector
from frame_expressions.prediction.exported_model import MODEL_TYPE, ExportedModel
from frame_expressions.runtime.errors import InputError
from tests.properties.files import damaged

NAMES = ",".join(EXPRESSIONS)
A_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a video, an annotation and an image that tables may name."""
    folder = tmp_path_factory.mktemp("given")
    for name in ("a.mp4", "a.txt", "a.jpg"):
        (folder / name).write_bytes(b"x")
    return folder


def said_or(read, *arguments):
    """What `read` returns, or None where it says in one sentence why not."""
    try:
        return read(*arguments)
    except InputError as error:
        assert str(error).endswith(".") and "\n" not in str(error)
        return None


@given(damaged(f"{NAMES}\n0\n7\n-1\n3\n".encode()))
def test_annotations(folder, content):
    (folder / "rows.txt").write_bytes(content)
    rows = said_or(read_annotation, folder / "rows.txt")
    assert rows is None or (rows.dtype == np.int8 and rows.size and rows.min() >= -1 and rows.max() <= 7)


@given(
    damaged(
        f"image_location,{NAMES}\na/00001.jpg,0\na/00002.jpg,0\nb_left/100000.jpg,\n".encode(),
        b"a/00001.jpg\n../00002.jpg\n",
    )
)
def test_templates(folder, content):
    (folder / "template.txt").write_bytes(content)
    rows = said_or(read_template, folder / "template.txt")
    assert rows is None or all(A_NAME.fullmatch(track) and frame >= 1 for track, frame in rows)
    tracks = said_or(template_tracks, folder / "template.txt")
    assert tracks is None or all(A_NAME.fullmatch(track) and count >= 1 for track, count in tracks.items())
    assert rows is None or list(tracks) == list(dict.fromkeys(track for track, _ in rows))


@given(
    damaged(
        b"track\tpath\tsplit\tvideo\tannotation\tlabel\tperson\na_left\ta.mp4\ttrain\t\ta.txt\t\tleft\n",
        b"track\tpath\tsplit\tlabel\tperson\na\ta.mp4\tvalidation\tAnger\tidentity@3:1,2,3,4\n",
        b"track\tpath\tsplit\nb\t../a.mp4\ttest\nc\t/etc/passwd\ttest\n",
    )
)
def test_tables_of_videos(folder, content):
    (folder / "corpus.tsv").write_bytes(content)
    tracks, problems = scan_table(folder / "corpus.tsv")
    assert tracks or problems
    check_tracks(tracks)
    for track in tracks:
        parse_person_spec(track.person)
        assert (folder / track.path).resolve() == (folder / "a.mp4").resolve()


@given(
    damaged(
        b"track\tfrom_frame\tto_frame\tperson\tbox\na\t5\t9\tright\t\na\t7\t\tabsent\t\n",
        b"track\tfrom_frame\tto_frame\tperson\tbox\na\t\t\tidentity\t1,2.5,30,40\n",
        b"track\tfrom_frame\tto_frame\tperson\tbox\na\t1\t2\tidentity\t-0.00001,2,12345678,40\n",
    )
)
def test_tables_of_overrides(folder, content):
    (folder / "overrides.tsv").write_bytes(content)
    overrides = said_or(read_overrides, folder / "overrides.tsv", ["a"]) or {}
    assert set(overrides) <= {"a"}
    for row in overrides.get("a", []):
        assert row["from_frame"] >= 1 and (row["to_frame"] is None or row["to_frame"] >= row["from_frame"])
        assert row["person"] == ABSENT or parse_person_spec(row["person"])


@given(
    damaged(
        b"image,expression,split,group\na.jpg,Anger,train,x\na.jpg,0,validation,y\n",
        b"image,expression\na.jpg,7\na.jpg,7\n../given.jpg,1\n",
    )
)
def test_tables_of_images(folder, content):
    (folder / "images.csv").write_bytes(content)
    images = said_or(read_image_set, "table", folder / "images.csv")
    assert images is None or all(path.resolve().is_relative_to(folder.resolve()) for path in images.paths)
    assert images is None or set(images.split) <= {"train", "validation"}


@given(damaged(b"subDirectory_filePath,a,b,c,d,e,expression\n1/a.jpg,0,0,0,0,,3,0,0\n1/../../a.jpg,0,0,0,0,,10,0,0\n"))
def test_lists_of_affectnet(folder, content):
    for name in ("training", "validation"):
        (folder / "Manually_Annotated_file_lists").mkdir(exist_ok=True)
        (folder / f"Manually_Annotated_file_lists/{name}.csv").write_bytes(content)
    (folder / "Manually_Annotated_Images/1").mkdir(parents=True, exist_ok=True)
    (folder / "Manually_Annotated_Images/1/a.jpg").touch()
    images = said_or(read_image_set, "affectnet_csv", folder)
    inside = (folder / "Manually_Annotated_Images").resolve()
    assert images is None or all(path.resolve().is_relative_to(inside) for path in images.paths)


@given(damaged(b"train_00001.jpg 5\ntest_0001.jpg 7\ntrain_../../x.jpg 1\n"))
def test_lists_of_rafdb(folder, content):
    (folder / "EmoLabel").mkdir(exist_ok=True)
    (folder / "EmoLabel/list_patition_label.txt").write_bytes(content)
    inside = folder / "Image/aligned"
    inside.mkdir(parents=True, exist_ok=True)
    for name in ("train_00001", "test_0001"):
        (inside / f"{name}_aligned.jpg").touch()
    images = said_or(read_image_set, "rafdb", folder)
    assert images is None or all(path.resolve().is_relative_to(inside.resolve()) for path in images.paths)


@given(damaged(f"image_location,{NAMES}\na/00001.jpg,0\nb/00001.jpg,7\n".encode()))
def test_files_of_predictions(folder, content):
    path, tracks = folder / "predictions.txt", folder / "tracks"
    path.write_bytes(content)
    rows = ["a/00001.jpg", "b/00001.jpg"]
    found = said_or(check_predictions, path, rows)
    if found is not None:
        assert re.fullmatch(rf"image_location,{NAMES}\na/00001.jpg,[0-7]\nb/00001.jpg,[0-7]\n", content.decode())
        assert said_or(write_track_files, path, tracks) == 2
        assert {file.name for file in tracks.iterdir()} == {"a.txt", "b.txt"}


def _bytes_of(write, value) -> bytes:
    written = io.BytesIO()
    write(written, value)
    return written.getvalue()


@given(damaged(_bytes_of(np.save, np.arange(3, dtype=np.float32)), _bytes_of(lambda f, v: np.savez(f, v), 1)))
def test_vectors(folder, content):
    (folder / "mean.npy").write_bytes(content)
    vector = said_or(read_vector, folder / "mean.npy")
    assert vector is None or (vector.dtype == np.float32 and vector.ndim == 1)


@given(damaged(_bytes_of(np.save, np.array(3)), _bytes_of(np.save, np.array("3")), b"PK\x03\x04"))
def test_annotations_of_affectnet(folder, content):
    for part in ("train_set", "val_set"):
        for name in ("annotations", "images"):
            (folder / part / name).mkdir(parents=True, exist_ok=True)
        (folder / part / "annotations/1_exp.npy").write_bytes(content)
        (folder / part / "images/1.jpg").touch()
    images = said_or(read_image_set, "affectnet_npy", folder)
    assert images is None or images.labels.tolist() == [images.labels[0]] * 2


STATE = {"weight": torch.arange(4.0)}


@given(damaged(_bytes_of(lambda f, v: torch.save(v, f), STATE)))
def test_checkpoints(folder, content):
    (folder / "weights.pth").write_bytes(content)
    state = said_or(read_state_dict, folder / "weights.pth")
    assert state is None or all(isinstance(tensor, torch.Tensor) for tensor in state.values())


@given(damaged(save(STATE)))
def test_safetensors(folder, content):
    (folder / "weights.safetensors").write_bytes(content)
    state = said_or(read_state_dict, folder / "weights.safetensors")
    assert state is None or all(isinstance(tensor, torch.Tensor) for tensor in state.values())


MODEL = {
    "model_type": MODEL_TYPE,
    "settings": {"crops": {"scales": [1.0]}, "audio": {}, "encoders": {"visual": {}}, "features": {"audio": {}}},
    "fusion": ["fusion/official.safetensors"],
    "smoothing": {"kind": "mean", "window_frames": 5, "windows_at_fps": None},
}


@given(damaged(json.dumps(MODEL, indent=0).encode(), b'{\n"model_type":\n"x"\n}', b"[[[["))
def test_exported_models(folder, content):
    for name in ("visual/config.json", "visual/model.safetensors", "audio/config.json", "audio/model.safetensors"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / "fusion").mkdir(exist_ok=True)
    (folder / "fusion/official.safetensors").touch()
    (folder / "config.json").write_bytes(content)
    model = said_or(ExportedModel.read, folder)
    assert model is None or all(path.parent == folder / "fusion" for path in model.fusion)


@given(damaged(b"track\tvideo\tpath\tsplit\tperson\tannotation\tlabel\tgroup\na\ta\ta.mp4\ttrain\tauto\t\t\ta\n"))
def test_tables_of_tracks(folder, content):
    (folder / "tracks.tsv").write_bytes(content)
    tracks = said_or(read_tracks, folder / "tracks.tsv")
    if tracks is not None:
        assert all(isinstance(track, Track) for track in tracks)
        write_tracks(tracks, folder / "again.tsv")
        assert read_tracks(folder / "again.tsv") == tracks
