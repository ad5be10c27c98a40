import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.extractors.log_mel import LogMel
from ego.layers.audio_frontend import LogMel as Front
from ego.layers.audio_frontend import scaled_to
from ego.sampling import Window

SOUND = torch.from_numpy(np.random.default_rng(0).normal(0, 0.02, (2, 16_000)).astype(np.float32))


def test_a_row_is_its_own_second_scaled_to_the_published_loudness() -> None:
    found = LogMel().build({})(SOUND)["feature"]
    assert found.shape == (2, 101, 64)
    assert torch.equal(found, Front()(scaled_to(SOUND, 0.1)))


def test_loudness_is_kept_where_asked() -> None:
    spec = LogMel(loudness=0.0)
    assert torch.equal(spec.build({})(SOUND)["feature"], Front()(SOUND))
    louder = LogMel().build({})(SOUND * 3)["feature"]
    assert louder.allclose(LogMel().build({})(SOUND)["feature"], atol=1e-4)


def test_vggish_has_its_96_steps() -> None:
    spec = LogMel(Window(39, 39, fps=40.0), "vggish")
    assert spec.samples == 15_600
    assert spec.rows({})["feature"].shape == (96, 64)
    assert spec.build({})(SOUND[:, : spec.samples])["feature"].shape == (2, 96, 64)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"window": Window(30)}, "without fps"),
        ({"window": Window(1, fps=60.0)}, "at least 400"),
        ({"loudness": -1.0}, "loudness"),
    ],
)
def test_what_means_nothing_is_refused(fields: dict, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        LogMel(**fields)
