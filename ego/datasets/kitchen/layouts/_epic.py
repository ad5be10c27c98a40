"""What both EPIC-KITCHENS layouts share: class lists, times as text, video tables."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ego.datasets.kitchen.grammar import NOUNS, VERBS
from ego.datasets.kitchen.layouts._base import Action, Record, actions, written


def clock(seconds: float, digits: int = 2) -> str:
    """Seconds as HH:MM:SS.ss."""
    whole = round(seconds * 10**digits)
    minutes, rest = divmod(whole, 60 * 10**digits)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest / 10**digits:0{3 + digits}.{digits}f}"


def classes(root: Path, prefix: str, columns: tuple[str, str], first_noun: int) -> None:
    """The class lists of this world: numbers without gaps, verbs from 0, nouns from `first_noun`."""
    number, words = columns
    nouns = [f"{index + first_noun},{name},\"['{name}']\"" for index, name in enumerate(NOUNS)]
    nothing = ["0,Nothing,\"['Nothing']\""] if first_noun else []
    verbs = [f"{index},{name},\"['{name}']\"" for index, name in enumerate(VERBS)]
    verb_number, noun_number = (number or f"{kind}_id" for kind in ("verb", "noun"))
    key = "key" if number else "class_key"
    verb_words, noun_words = (words or f"{kind}s" for kind in ("verb", "noun"))
    tail = ",category" if number else ""
    ends = ",kitchen" if number else ""
    table(root / f"{prefix}verb_classes.csv", f"{verb_number},{key},{verb_words}{tail}", [one + ends for one in verbs])
    table(root / f"{prefix}noun_classes.csv", f"{noun_number},{key},{noun_words}{tail}",
          [one + ends for one in nothing + nouns])  # fmt: skip


def table(path: Path, header: str, lines: Sequence[str]) -> None:
    """A CSV file."""
    written(path, "\n".join([header, *lines]) + "\n")


def labelled(records: Sequence[Record], splits: Sequence[str]) -> Iterator[tuple[Record, int, Action]]:
    """(record, number within its video, action) of every action of these splits."""
    for one in records:
        if one["split"] in splits:
            for number, action in enumerate(actions(one)):
                yield one, number, action


def span(action: Action, fps: int) -> tuple[str, str, int, int]:
    """Start and stop as text, and as frames counted from 1 at a nominal rate."""
    frames = [max(1, int(seconds * fps + 1e-6)) for seconds in (action.start, action.stop)]
    return clock(action.start), clock(action.stop), frames[0], frames[1]


def words(action: Action, first_noun: int) -> str:
    """The columns of a label: verb, verb_class, noun, noun_class, all_nouns, all_noun_classes."""
    noun = NOUNS.index(action.noun) + first_noun
    verb = VERBS.index(action.verb)
    return f"{action.verb},{verb},{action.noun},{noun},['{action.noun}'],[{noun}]"


def narration(action: Action) -> str:
    """What a narrator would say."""
    return f"{action.verb.replace('-', ' ')} {action.noun}"
