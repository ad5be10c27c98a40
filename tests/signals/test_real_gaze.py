"""Every real gaze file there is reads as a plausible recording."""

import numpy as np
import pytest

from ego.gaze import FIXATION, SACCADE, by_frame
from ego.signals.aria import read_aria_gaze
from ego.signals.begaze import read_begaze

FPS = 24.0


def test_fixations_of_every_session_are_as_long_and_as_still_as_those_of_people(shared_data) -> None:
    files = sorted((shared_data / "annotations" / "egtea_gaze").glob("*-R??-*.txt"))
    assert len(files) == 5
    for file in files:
        samples = read_begaze(file)
        reading = samples.reading(FPS)
        assert (np.diff(reading.seconds[:, 0]) >= 0).all()
        point, kinds, blink = by_frame(reading, np.arange(samples.frame.max() + 2) / FPS)
        fixed = kinds == FIXATION
        assert 0.1 < fixed.mean() < 0.95
        runs = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], fixed, [0]]))))[::2] / FPS
        assert 0.05 < np.median(runs) < 0.6  # seconds
        near = fixed[1:] & fixed[:-1]
        steps = np.linalg.norm(np.diff(point, axis=0), axis=1)
        assert np.median(steps[near]) < 0.02  # of the frame: the eyes rest
        moving = (kinds[1:] == SACCADE) & (kinds[:-1] == SACCADE)
        assert np.median(steps[moving]) > np.median(steps[near])
        assert blink.mean() < 0.6


@pytest.mark.parametrize(
    "model", ["eyegaze.csv", "generalized_eye_gaze.csv", "generalized_gaze.csv", "general_eye_gaze.csv"]
)
def test_rays_of_every_model_point_ahead(shared_data, model: str) -> None:
    (file,) = (shared_data / "aria" / "mps").rglob(model)
    reading = read_aria_gaze(file, 0)
    assert len(reading.seconds) >= 4
    assert (reading.arrays["direction"][:, 2] > 0.3).all()
    assert np.allclose(np.diff(reading.seconds[:, 0]), 0.1, atol=0.05)  # ten a second
