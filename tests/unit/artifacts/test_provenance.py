from frame_expressions.artifacts.provenance import provenance_of
from frame_expressions.artifacts.text import write_text


def test_inputs_of_one_name_are_told_apart_by_their_folder(tmp_path):
    for modality in ("visual", "audio"):
        write_text(modality, tmp_path / modality / "train-000.npy")
    found = provenance_of({}, [tmp_path / "visual" / "train-000.npy", tmp_path / "audio" / "train-000.npy"])["inputs"]
    assert list(found) == ["visual/train-000.npy", "audio/train-000.npy"] and len(set(found.values())) == 2
