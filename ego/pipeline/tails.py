"""Networks above stored end points, trained with the head that reads what they give.

A head with `tails = ["rgb"]` names in `features` what it reads of `rgb`: an array that is stored comes from the store,
any other end point, such as `rgb.nbn`, from the network above the stored one. So the entry's key is that of the
lower end point alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ego.errors import BadRequest
from ego.extractors._backbone import Backbone
from ego.extractors._base import Extractor, Files
from ego.heads._base import Head, Tensors, slot
from ego.heads._rows import clean, traced
from ego.video import Array


@dataclass(frozen=True)
class Tail:
    """What goes on above a stored end point: `stored` is the feature that goes in, `arrays` those that come out.

    `extractor` has the end point `tap` and those above it that are wanted.
    """

    stored: str
    tap: str
    extractor: Backbone
    arrays: Mapping[str, Array]


def tails_of(head: Head, extractors: Mapping[str, Extractor], files: Files) -> dict[str, Tail]:
    """The tails that a head names, by the recipe's names of their extractors; what cannot be is a BadRequest."""
    if head.tails and head.solves:
        raise BadRequest(f"got head.tails for {head.name}, which is solved and trains nothing; leave them out")
    return {own: _tail(own, head, extractors, files) for own in head.tails}


def _tail(own: str, head: Head, extractors: Mapping[str, Extractor], files: Files) -> Tail:
    if own not in extractors:
        raise BadRequest(f"head.tails names {own!r}, the recipe extracts: {', '.join(extractors) or 'nothing'}")
    extractor = extractors[own]
    if not isinstance(extractor, Backbone):
        raise BadRequest(f"head.tails names {own!r}, a {extractor.name}, which has no network above what is stored")
    named = [name.removeprefix(f"{own}.") for name in head.features if name.startswith(f"{own}.")]
    above = tuple(tap for tap in named if tap not in extractor.taps)
    if not above:
        raise BadRequest(
            f'head.tails names {own!r}; say in head.features which end points its network gives, such as "{own}.pool"'
        )
    tap = next((one for one in reversed(extractor.taps) if set(above) <= set(extractor.above(one))), None)
    if tap is None:
        raise BadRequest(
            f"head.features asks for {', '.join(above)} of {own!r}, which do not all follow from what is stored of it: "
            f"{', '.join(extractor.taps)}; its end points are: {', '.join(extractor.end_points)}"
        )
    whole = replace(extractor, taps=(tap, *above))
    arrays = {f"{own}.{name}": array for name, array in whole.rows(files).items() if name != tap}
    return Tail(own if len(extractor.taps) == 1 else f"{own}.{tap}", tap, whole, arrays)


def stored_features(head: Head, tails: Mapping[str, Tail]) -> tuple[str, ...]:
    """The features that come from the store: those that the head names, for others what their tail goes on from."""
    made = {name: tail.stored for tail in tails.values() for name in tail.arrays}
    return tuple(dict.fromkeys(made.get(name, name) for name in head.features))


def shapes_after(stored: Mapping[str, Array], head: Head, tails: Mapping[str, Tail]) -> dict[str, Array]:
    """What the head sees: stored features and what tails give, in the head's order."""
    made = {name: array for tail in tails.values() for name, array in tail.arrays.items()}
    if not tails:
        return dict(stored)
    return {name: made.get(name) or stored[name] for name in head.features}


def joined(head: nn.Module, tails: Mapping[str, Tail], norms: str, files: Files) -> nn.Module:
    """The head's module with its tails below it; without tails the module itself."""
    if not tails:
        return head
    built = {own: tail.extractor.tail(tail.tap, files) for own, tail in tails.items()}
    return WithTails(built, {own: tail.stored for own, tail in tails.items()}, head, learns=norms == "trained")


class WithTails(nn.Module):
    """Tails, whose state-dict names begin with `tails.of_<name>.`, and a head, with `head.`, as one module.

    The tails' norms keep their statistics, as those below them did, unless the norms are trained too.
    """

    def __init__(
        self, tails: Mapping[str, nn.Module], stored: Mapping[str, str], head: nn.Module, learns: bool = False
    ) -> None:
        super().__init__()
        self.tails = nn.ModuleDict({slot(own): module for own, module in tails.items()})
        self.head = head
        self._stored, self._learns = dict(stored), learns
        for parameter in self.tails.parameters():
            parameter.requires_grad_(True)

    def train(self, mode: bool = True) -> "WithTails":
        """Training mode for the head, and for the tails where their norms are trained."""
        super().train(mode)
        self.tails.train(mode and self._learns)
        return self

    def forward(
        self, features: Tensors, masks: Tensors, tasks: Sequence[str], labels: Tensors | None = None
    ) -> Mapping[str, Tensor]:
        """The head's predictions, from what its tails make of stored rows."""
        seen, there = dict(features), dict(masks)
        for own, stored in self._stored.items():
            for name, rows in self._above(own, features[stored], masks[stored]).items():
                seen[f"{own}.{name}"], there[f"{own}.{name}"] = rows, masks[stored]
        found: Mapping[str, Tensor] = self.head(seen, there, tasks, labels)
        return found

    def _above(self, own: str, rows: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """(B, N, ...) of each end point, 0 where the row is masked: those are not computed."""
        if traced():
            whole = self.tails[slot(own)](rows.flatten(0, 1))
            return {name: clean(x.view(*mask.shape, *x.shape[1:]), mask) for name, x in whole.items()}
        places = mask.flatten().nonzero()[:, 0]
        some = rows.flatten(0, 1)[places if len(places) else slice(0, 1)]
        found = {}
        for name, x in self.tails[slot(own)](some).items():
            whole = x.new_zeros(mask.numel(), *x.shape[1:])
            if len(places):
                whole = torch.index_copy(whole, 0, places, x)
            found[name] = whole.view(*mask.shape, *x.shape[1:])
        return found
