from pathlib import Path

import pytest
from insightface.utils import storage

from frame_expressions.runtime.errors import InputError
from workflow_scripts.fetch_detector import run


def test_a_pack_that_cannot_be_fetched_is_named_with_what_to_do(tmp_path, monkeypatch):
    def unreachable(*arguments, **settings):
        raise ConnectionError(
            "HTTPSConnectionPool(host='github.com', port=443): Max retries exceeded with " + "url " * 99
        )

    monkeypatch.setattr(storage, "ensure_available", unreachable)
    with pytest.raises(InputError) as refused:
        run(pack="buffalo_l", root=tmp_path, record=tmp_path / "buffalo_l.json")
    sentence = str(refused.value)
    assert "the InsightFace pack buffalo_l cannot be fetched (ConnectionError)" in sentence
    assert "`snakemake --cores 1 fetch_models`" in sentence and f"{tmp_path}/models/buffalo_l" in sentence
    assert len(sentence) < 400


def test_a_pack_of_which_a_kill_left_half_is_fetched_again(tmp_path, monkeypatch):
    def killed_while_unpacking(kind, pack, root):
        (Path(root) / kind / pack).mkdir(parents=True)
        (Path(root) / kind / pack / "det.onnx").write_bytes(b"half")
        raise KeyboardInterrupt

    def unpacked(kind, pack, root):
        folder = Path(root) / kind / pack
        if not folder.exists():  # the library trusts a folder that is there
            folder.mkdir(parents=True)
            (folder / "det.onnx").write_bytes(b"whole")
        return str(folder)

    record = tmp_path / "models/buffalo_l.json"
    monkeypatch.setattr(storage, "ensure_available", killed_while_unpacking)
    with pytest.raises(KeyboardInterrupt):
        run(pack="buffalo_l", root=tmp_path, record=record)
    monkeypatch.setattr(storage, "ensure_available", unpacked)
    run(pack="buffalo_l", root=tmp_path, record=record)
    assert (tmp_path / "models/buffalo_l/det.onnx").read_bytes() == b"whole"
    assert record.is_file() and not list(tmp_path.glob(".*"))


def test_a_pack_that_lies_there_is_taken(tmp_path, monkeypatch):
    folder = tmp_path / "models/buffalo_l"
    folder.mkdir(parents=True)
    (folder / "det.onnx").write_bytes(b"unpacked by hand")
    monkeypatch.setattr(storage, "ensure_available", lambda *arguments, **settings: pytest.fail("fetched"))
    run(pack="buffalo_l", root=tmp_path, record=tmp_path / "models/buffalo_l.json")
    assert "det.onnx" in (tmp_path / "models/buffalo_l.json").read_text()
