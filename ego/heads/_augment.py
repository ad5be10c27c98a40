"""What is done to a batch of features before the head is trained on it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ego.heads._base import Batch
from ego.heads._training import Training


class Mixed(NamedTuple):
    """A batch in which each clip is `share` itself and the rest its partner, whose labels are `other`'s."""

    batch: Batch
    other: Batch
    share: float


def augmented(batch: Batch, training: Training, draw: np.random.Generator) -> Mixed:
    """The batch as `training` asks for it; unmixed it is its own partner with share 1."""
    if training.feature_dropout:
        batch = replace(batch, features=dropped(batch.features, training.feature_dropout))
    if not training.mixup:
        return Mixed(batch, batch, 1.0)
    share = float(draw.beta(training.mixup, training.mixup))
    return mixed(batch, draw.permutation(len(next(iter(batch.masks.values())))), max(share, 1 - share))


def dropped(features: Mapping[str, Tensor], chance: float) -> dict[str, Tensor]:
    """The features with numbers set to 0 by torch's generator, the others raised so that the mean stays."""
    return {name: functional.dropout(rows.float(), chance) for name, rows in features.items()}


def mixed(batch: Batch, partners: np.ndarray[tuple[int], np.dtype[np.int64]], share: float) -> Mixed:
    """Mixup (Zhang et al. 2018) of rows at the same place of a clip and its partner.

    Where only one of the two has a row, that one stands alone.
    """
    order = torch.from_numpy(partners).to(next(iter(batch.masks.values())).device)

    def turned(part: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: tensor[order] for name, tensor in part.items()}

    other = Batch(*(turned(part) for part in (batch.features, batch.masks, batch.labels, batch.labelled)))
    rows, masks = {}, {}
    for name, mine in batch.features.items():
        there, there_too = batch.masks[name], other.masks[name]
        masks[name] = there | there_too
        wide = there.reshape(*there.shape, *(1,) * (mine.ndim - 2))
        wide_too = there_too.reshape(wide.shape)
        alone = torch.where(wide, mine.float(), other.features[name].float())
        both = share * mine.float() + (1 - share) * other.features[name].float()
        rows[name] = torch.where(wide & wide_too, both, alone)
    return Mixed(replace(batch, features=rows, masks=masks), other, share)
