"""An action as a verb and a noun: the product of what two tasks say, with nothing of its own to train."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.spec import late
from ego.tasks import _metrics as figures
from ego.tasks._base import Judged, Task
from ego.tasks._pairs import Pairs, best, first, ranks
from ego.tasks.classify import Classify, listed

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Action(Task):
    """Which pair of `verb` and `noun` a clip is, two `classify` tasks of the recipe: p(verb) * p(noun), each a softmax.

    `space` says which pairs are ranked: `all`, those `seen` among the labels trained on, or the `given` `actions` as
    [verb, noun]. Tested pairs that were not seen are refused with `seen`, or count as errors with `unseen = "count"`.
    `many` adds precision and recall averaged over the many-shot actions: those seen in training whose verb and whose
    noun each have more than so many training clips (Damen et al. 2018; 100 there).

    A prediction is (verbs + nouns,): the probabilities of one after those of the other, from which all pairs follow.
    An action with a label of its own is a `classify` task. `labels` and `classes` become those of the two tasks.
    """

    verb: str = "verb"
    noun: str = "noun"
    space: Literal["all", "seen", "given"] = "all"
    actions: tuple[tuple[str, str], ...] = ()
    unseen: Literal["refuse", "count"] = "refuse"
    top: tuple[int, ...] = (5,)
    many: int = 0
    rounded: bool = False
    labels: tuple[str, ...] = late(())
    classes: tuple[tuple[str, ...], ...] = late(())

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.actions) != (self.space == "given"):
            raise BadRequest(
                f"got {len(self.actions)} action.actions with action.space = {self.space!r}, expected some with "
                "'given' and none otherwise"
            )
        if self.verb == self.noun or len(set(self.actions)) != len(self.actions):
            raise BadRequest("got the same task or pair twice in action, expected each once")
        if self.many < 0 or any(top < 1 for top in self.top):
            raise BadRequest(f"got action.many = {self.many} and top = {list(self.top)}, expected at least 0 and 1")

    @property
    def of(self) -> tuple[str, ...]:
        """The tasks of verbs and of nouns."""
        return (self.verb, self.noun)

    @property
    def shape(self) -> tuple[int, ...]:
        """A probability for each verb, then one for each noun."""
        return (sum(map(len, self.classes)),)

    def over(self, classes: Mapping[str, Sequence[str]]) -> Self:
        """This task; its label space is that of the two tasks."""
        return self

    def among(self, tasks: Mapping[str, Task]) -> Self:
        """This task over the classes of the two; one that does not classify, and a pair outside, are a BadRequest."""
        parts = [tasks[name] for name in self.of]
        both = [part for part in parts if isinstance(part, Classify)]
        if len(both) < 2:
            raise BadRequest(f"an action is of two tasks that classify, got: {', '.join(part.name for part in parts)}")
        filled = replace(self, labels=tuple(p.label for p in both), classes=tuple(p.classes for p in both))
        for pair in filled.actions:
            filled._pair(pair)
        return filled

    def encode(self, labels: Mapping[str, Any]) -> NDArray[Any] | None:
        """(verb, noun) as indices; None without either label. A pair outside the given ones is a BadRequest."""
        if any(name not in labels for name in self.labels):
            return None
        words = tuple(labels[name] for name in self.labels)
        if self.actions and words not in self.actions:
            raise BadRequest(f"got the action {list(words)}, expected one of the {len(self.actions)} in action.actions")
        return np.array(self._pair(words), np.int64)

    def _pair(self, words: Sequence[str]) -> tuple[int, int]:
        found = []
        for word, known, label in zip(words, self.classes, self.labels, strict=True):
            if word not in known:
                raise BadRequest(f"got {word!r} as {label!r} of an action, expected one of: {listed(known)}")
            found.append(known.index(word))
        return found[0], found[1]

    @property
    def blank(self) -> NDArray[Any]:
        """The first pair, masked."""
        return np.zeros(2, np.int64)

    def combine(self, predictions: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """(n, verbs + nouns) probabilities from the scores of both tasks."""
        return np.concatenate([_softmax(predictions[name]) for name in self.of], axis=1)

    def loss(self, prediction: "Tensor", label: "Tensor", mask: "Tensor") -> "Tensor":
        """0: there is nothing to train."""
        return prediction.sum() * 0

    def metrics(self, judged: Judged) -> dict[str, float]:
        """Accuracy of the first pair first, then top-k over the action space, and the many-shot figures."""
        predictions, labels = judged.predictions[judged.mask], judged.labels[judged.mask]
        if not len(labels):
            return {}
        space = self._space(judged.trained)
        verbs, nouns = self._parts(predictions)
        place = ranks(verbs, nouns, labels, space)
        found = {"accuracy": float((place < 1).mean())}
        found |= {f"top{top}_accuracy": float((place < top).mean()) for top in self.top}
        if not self.many or judged.trained is None:
            return found
        kept = self._numbers(self._many_shot(judged.trained))
        said = self._numbers(best(verbs, nouns, space))
        found["many_shot_classes"] = len(kept)
        return found | figures.many_shot_figures(self._numbers(labels), said, kept, self.rounded)

    def _space(self, trained: NDArray[Any] | None) -> Pairs | None:
        """(K, 2) the pairs there are, None for all, as where none was seen."""
        if self.actions:
            return np.array([self._pair(pair) for pair in self.actions], np.int64)
        if self.space == "all" or trained is None or not len(trained):
            return None
        return np.unique(trained, axis=0)

    def _many_shot(self, trained: NDArray[Any]) -> Pairs:
        """(K, 2) the many-shot actions."""
        seen = np.unique(trained, axis=0)
        verbs, nouns = (figures.many_shot(trained[:, axis], self.many) for axis in (0, 1))
        return np.asarray(seen[np.isin(seen[:, 0], verbs) & np.isin(seen[:, 1], nouns)])

    def _numbers(self, pairs: Pairs) -> NDArray[np.int64]:
        return np.asarray(pairs[:, 0] * len(self.classes[1]) + pairs[:, 1])

    def _parts(self, predictions: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        verbs = len(self.classes[0])
        return predictions[:, :verbs], predictions[:, verbs:]

    def fitted(self, labels: NDArray[Any]) -> Self:
        """With the pairs `seen` as those that are said."""
        if self.space != "seen" or not len(labels):
            return self
        pairs = [(self.classes[0][verb], self.classes[1][noun]) for verb, noun in np.unique(labels, axis=0)]
        return replace(self, space="given", actions=tuple(pairs))

    def unlearnable(self, trained: NDArray[Any], tested: NDArray[Any]) -> str | None:
        """The tested pairs that were not seen, where only those are ranked."""
        known = set(map(tuple, trained.tolist()))
        new = [self.say_label(pair) for pair in np.unique(tested, axis=0) if tuple(pair.tolist()) not in known]
        if self.space != "seen" or not new or self.unseen == "count":
            return None
        words = ", ".join(" ".join(pair) for pair in new[:5])
        return f"tests {len(new)} actions without a training clip ({words}); set unseen = 'count' or space = 'all'"

    def say(self, prediction: NDArray[Any]) -> list[str]:
        """[verb, noun] of the first pair of the action space, of all pairs where that is what was seen."""
        verbs, nouns = self._parts(prediction[None])
        return self.say_label(best(verbs, nouns, self._space(None))[0])

    def likeliest(self, prediction: NDArray[Any], count: int) -> list[tuple[Any, float]]:
        """Pairs of the action space with p(verb) * p(noun)."""
        verbs, nouns = self._parts(prediction[None])
        return [(self.say_label(pair), share) for pair, share in first(verbs[0], nouns[0], self._space(None), count)]

    def say_label(self, label: NDArray[Any]) -> list[str]:
        """[verb, noun] of two indices."""
        return [known[int(index)] for known, index in zip(self.classes, label, strict=True)]


def _softmax(scores: NDArray[Any]) -> NDArray[np.float32]:
    wide = np.asarray(scores, np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)
