"""`ego.clips`: arrays that belong together, and a data set that torch's loader takes."""

import numpy as np
import pytest
from torch.utils.data import DataLoader

import ego


def test_arrays_masks_times_and_labels_belong_together(colours):
    found = ego.clips(colours.recipe, "validation", colours.store, data=colours.data, fold="two")
    assert len(found) == 6
    assert found.features["colour"].shape == (6, 5, 3)
    assert found.masks["colour"].all()
    centres = found.times["colour"][..., 1]
    for place, clip in enumerate(found.clips):
        ((start, stop),) = clip.parts
        assert ((centres[place] >= start) & (centres[place] < stop)).all()
    names = [found.tasks["verb"].classes[index] for index in found.labels["verb"]]
    assert names == list("bbggrr")
    brightest = found.features["colour"].mean(axis=1).argmax(axis=1)
    assert [("r", "g", "b")[i] for i in brightest] == names
    assert found.labelled["verb"].all()


def test_clips_of_unequal_length_are_padded_and_masked(colours, tmp_path):
    import shutil

    data = shutil.copytree(colours.data, tmp_path / "data")
    text = (data / "table.csv").read_text()
    (data / "table.csv").write_text(text.replace("two,0,1,b", "two,0,0.4,b"))
    found = ego.clips(colours.recipe, "validation", str(colours.store), data=str(data), fold="two")
    assert found.masks["colour"].sum(axis=1).tolist() == [2, 5, 5, 5, 5, 5]
    assert (found.times["colour"][0, 2:] == 0).all()


def test_torch_makes_batches_of_it(colours):
    train = ego.clips(colours.recipe, "train", colours.store, data=colours.data, fold="two")
    batches = list(DataLoader(train, batch_size=5))
    assert [len(batch["labels"]["verb"]) for batch in batches] == [5, 5, 2]
    whole = np.concatenate([batch["features"]["colour"].numpy() for batch in batches])
    assert np.array_equal(whole, train.features["colour"])


def test_folds_splits_and_missing_features_are_named(colours):
    with pytest.raises(ego.BadRequest, match="got fold '', expected one of: 'one', 'three', 'two'"):
        ego.clips(colours.recipe, "train", colours.store, data=colours.data)
    with pytest.raises(ego.BadRequest, match="got split 'test', expected one of: 'train', 'validation'"):
        ego.clips(colours.recipe, "test", colours.store, data=colours.data, fold="one")
    with pytest.raises(ego.NotExtracted, match="run: ego extract"):
        ego.clips(
            colours.recipe, "train", colours.store, data=colours.data, fold="one", settings=("colour.window.fps=4",)
        )
