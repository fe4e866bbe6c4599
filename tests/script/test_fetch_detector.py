import pytest
from insightface.utils import storage

from workflow_scripts.fetch_detector import run
from workflow_scripts.lib.errors import InputError


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
