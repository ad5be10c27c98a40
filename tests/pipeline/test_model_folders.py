"""Model folders and names of the hub stand for the weights in them; nothing is fetched."""

import hashlib
from pathlib import Path

import pytest

from ego.errors import BadRequest
from ego.pipeline.weights import WeightFinder


def test_a_model_folder_and_a_name_of_the_hub_stand_for_their_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    cached = tmp_path / "hub" / "models--owner--small-model"
    snapshot = cached / "snapshots" / "0123abcd"
    snapshot.mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("0123abcd")
    (snapshot / "config.json").write_text("{}")
    with pytest.raises(BadRequest, match=r"a model folder without model\.safetensors"):
        WeightFinder().identify("owner/small-model")
    (snapshot / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(BadRequest, match="in several files"):
        WeightFinder().identify("owner/small-model")
    (snapshot / "model.safetensors").write_bytes(b"one file")
    finder = WeightFinder()
    named = finder.identify("owner/small-model")
    assert named == f"sha256:{hashlib.sha256(b'one file').hexdigest()}" == finder.identify(str(snapshot))
    assert named == finder.identify("owner/small-model@0123abcd")
    assert finder[named] == snapshot / "model.safetensors"
    with pytest.raises(BadRequest, match="`hf download owner/other` fetches it"):
        finder.identify("owner/other")
    with pytest.raises(BadRequest, match="which is not there"):
        finder.identify("owner/small-model@9999")
