"""What the networks of face tracks ask for, give and refuse."""

from typing import Any

import pytest
import torch

from ego.errors import BadRequest
from ego.extractors._face_network import published_keys
from ego.extractors.faces import Faces
from ego.extractors.lam import LAM
from ego.extractors.light_asd import LightASD
from ego.extractors.sound import Waveform
from ego.extractors.talknet import TalkNet
from ego.extractors.ttm import TTM
from ego.fields import Weights
from ego.pipeline.needs import check, pictures_of, sounds_of
from ego.sampling import Window
from ego.video import Picture

RANDOM = Weights("random:0")
WIDTHS = {LAM: 256, TTM: 256, TalkNet: 256, LightASD: 128}


@pytest.mark.parametrize("kind", WIDTHS)
def test_a_row_is_a_face_in_a_frame(kind: type[Any]) -> None:
    spec = kind(weights=RANDOM)
    shapes = {name: array.shape for name, array in spec.rows({}).items()}
    assert shapes == {"feature": (WIDTHS[kind],), "logits": (2,), "score": (), "track": ()}
    assert pictures_of(spec) == {"frames": Picture("native", 0)}
    assert spec.needs()["faces"] == Faces()
    assert ("sound" in spec.needs()) == (kind is not LAM)
    assert not sounds_of(spec)
    check([spec])


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"fps": 0.0}, "fps 0"),
        ({"fps": 61.0}, "at most 60"),
        ({"piece_seconds": 0.01}, "at least one tick"),
        ({"loudness": -0.1}, "loudness -0.1"),
        ({"sound": Waveform(Window(frames=2, fps=10.0))}, "overlap"),
        ({"sound": Waveform(Window(stride=2, fps=10.0))}, "gaps"),
        ({"window": Window(frames=2)}, "sees one"),
        ({"faces": Faces(window=Window(fps=10.0))}, "two windows"),
    ],
)
def test_fields_that_cannot_be(fields: dict[str, Any], words: str) -> None:
    for kind in (TTM, TalkNet, LightASD):
        with pytest.raises(BadRequest, match=words):
            kind(weights=RANDOM, **fields)


def test_the_names_of_published_files() -> None:
    one = torch.zeros(1)
    found = {"model.GRU.bias": one, "lossAV.FC.bias": one, "lossV.criterion.weight": one}
    assert set(published_keys(found)) == {"GRU.bias", "lossAV.FC.bias"}
