"""Backbones of flow are shown the stored fields of the extractor they hold, whether it ran before or beside them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors._base import Network
from ego.extractors._of_flow import picture_of
from ego.extractors.dis import DIS
from ego.extractors.flow_resnet import FlowResNet
from ego.extractors.i3d import I3D
from ego.extractors.sound import Waveform
from ego.extractors.warp_flow import WarpFlow
from ego.media.decode import Decoder
from ego.pipeline.extract import extract
from ego.pipeline.jobs import Outcome, entry_key, work
from ego.pipeline.scan import scan
from ego.sampling import Window
from ego.spec import Weights
from ego.video import Picture, Video

FRAMES = 22
FLOW = DIS(picture=Picture("height", 48), preset="ultrafast")
NETWORKS: list[Network] = [
    I3D(
        weights=Weights("random:1"), sees=FLOW, size=32, precision="float32", window=Window(frames=9, stride=9),
        taps=("Mixed_4b",),
    ),
    FlowResNet(weights=Weights("random:1"), sees=FLOW, size=48, precision="float32"),
]  # fmt: skip


@pytest.mark.parametrize("before", [False, True])
def test_each_frame_of_a_row_is_shown_the_field_that_begins_with_it(
    before: bool, readable_video: Callable[..., Path], tmp_path: Path
) -> None:
    with Decoder() as decoder:
        (video,) = scan([readable_video(tmp_path / "a.mp4", frames=FRAMES, fps=15, size=(96, 64))], decoder)
    assert isinstance(video, Video)
    store = FeatureStore(tmp_path / "store", create=True)
    for extractors in ([FLOW], NETWORKS) if before else ([*NETWORKS, FLOW],):
        found = [one for one in extract(work([video], extractors, store, None), store, {}) if isinstance(one, Outcome)]
        assert [one.state for one in found] == ["stored"]
    fields = store.read(entry_key(video, FLOW, {}))["feature"]
    assert fields.shape == (FRAMES - 1, 2, 48, 72)
    for network in NETWORKS:
        stored = store.read(entry_key(video, network, {}))["feature"]
        starts = np.arange(0, FRAMES, network.window.stride)[: len(stored)]
        picked = np.minimum(starts[:, None] + np.arange(network.window.frames), FRAMES - 2)
        with torch.inference_mode():
            expected = network.build({})(flow=torch.from_numpy(fields[picked].astype(np.float32)))["feature"].numpy()
        assert stored.shape == expected.shape
        assert np.linalg.norm(stored - expected) < 2e-3 * np.linalg.norm(expected)


def test_the_picture_is_that_of_the_flow_whatever_lies_between() -> None:
    assert picture_of(WarpFlow(flow=FLOW)) == picture_of(FLOW) == Picture("height", 48)
    with pytest.raises(BadRequest, match="sees no frames"):
        picture_of(Waveform())
