"""Devices: what is asked for is there, or refused in a sentence."""

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.pipeline.device import device_of, libraries


def test_auto_is_the_gpu_where_there_is_one() -> None:
    assert device_of("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert device_of("cpu") == "cpu"


@pytest.mark.parametrize("asked", ["quantum", "", "gpu"])
def test_another_word_is_refused_with_the_choices(asked: str) -> None:
    with pytest.raises(BadRequest, match="expected auto"):
        device_of(asked)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadRequest, match="sees no GPU"):
        device_of("cuda:0")


def test_the_libraries_of_a_run_are_known() -> None:
    assert libraries()["numpy"] == np.__version__
