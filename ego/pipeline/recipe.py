"""A recipe: one TOML file that writes one run down.

    [dataset]                    what is annotated            name = "folder", then its fields
    [extractors.rgb]             what is computed once        "rgb" is the recipe's own name for it
    [tasks.verb]                 what is learnt
    [head]                       what learns it
    [sampling]                   which rows of a clip the head sees
    [training]                   how

`--set head.dropout=0.2` changes one value; `rgb.weights` is short for `extractors.rgb.weights`.
Values are read as TOML (`true`, `0.5`, `["a", "b"]`), anything else as text.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ego.datasets._base import Dataset
from ego.errors import BadRequest, meant
from ego.extractors._base import Extractor
from ego.heads._base import Head
from ego.heads._training import Training
from ego.samplers import Sampling
from ego.spec import Spec, find, from_table
from ego.tasks._base import Task

SINGLE, NAMED = ("dataset", "head", "sampling", "training"), ("extractors", "tasks")
Table = dict[str, Any]


class Finder(Protocol):
    """What turns the names of weights files into identities, as `ego.pipeline.weights.WeightFinder` does."""

    def fill(self, cls: type[Spec], table: Mapping[str, Any]) -> Mapping[str, Any]:
        """The table with `sha256:...` where it named a file."""


@dataclass(frozen=True)
class Recipe:
    """A recipe as specs; a part that it does not have is None. `settings` are the `--set`s it was read with."""

    name: str
    text: str
    extractors: Mapping[str, Extractor] = field(default_factory=dict)
    tasks: Mapping[str, Task] = field(default_factory=dict)
    dataset: Dataset | None = None
    head: Head | None = None
    training: Training = field(default_factory=Training)
    sampling: Sampling = field(default_factory=Sampling)
    path: str = ""
    settings: tuple[str, ...] = ()


def read(path: Path, settings: Sequence[str], finder: Finder) -> Recipe:
    """The recipe of a TOML file with settings applied; whatever is wrong with it is a BadRequest."""
    return parse(_text(path), settings, finder, path)


def read_dataset(path: Path, settings: Sequence[str], finder: Finder) -> Dataset | None:
    """The data set of a recipe alone, so that weights it names need not be there; None where it has none."""
    table = _table(_text(path), settings, path)
    return _spec("datasets", Dataset, table["dataset"], "dataset", finder) if "dataset" in table else None


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadRequest(f"the recipe {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"the recipe {path} is not UTF-8 text (byte {error.start})") from error


def parse(text: str, settings: Sequence[str], finder: Finder, path: Path = Path("recipe.toml")) -> Recipe:
    """The recipe of a TOML text; see `read`."""
    table = _table(text, settings, path)
    return Recipe(
        name=path.stem,
        text=text,
        extractors={key: _spec("extractors", Extractor, one, key, finder) for key, one in _own(table, "extractors")},
        tasks={key: _spec("tasks", Task, one, key, finder) for key, one in _own(table, "tasks")},
        dataset=_spec("datasets", Dataset, table["dataset"], "dataset", finder) if "dataset" in table else None,
        head=_spec("heads", Head, table["head"], "head", finder) if "head" in table else None,
        training=from_table(Training, table.get("training", {}), "training"),
        sampling=from_table(Sampling, table.get("sampling", {}), "sampling"),
        path=str(path),
        settings=tuple(settings),
    )


def _table(text: str, settings: Sequence[str], path: Path) -> Table:
    """The recipe's sections with settings applied."""
    table = _loads(text.replace("\r\n", "\n"), f"the recipe {path}")
    _check_sections(table, path)
    for setting in settings:
        _apply(table, _spell_out(setting, table))
    return table


def extractors_from(names: Sequence[str], settings: Sequence[str], finder: Finder) -> dict[str, Extractor]:
    """The extractors of `--with NAME` or `--with OWN=NAME` (for one extractor twice) and `--set NAME.FIELD=VALUE`."""
    extractors: Table = {}
    for given in names:
        own, _, name = given.partition("=")
        if own in extractors:
            raise BadRequest(f"got --with {own} twice; call one of them otherwise: --with OTHER={name or own}")
        extractors[own] = {"name": name or own}
    table = {"extractors": extractors}
    for setting in settings:
        _apply(table, _spell_out(setting, table))
    return {own: _spec("extractors", Extractor, fields, own, finder) for own, fields in extractors.items()}


def _loads(text: str, where: str) -> Table:
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{where} is not TOML: {error}") from error
    _check_numbers(table, where)
    return table


def _check_numbers(value: Any, where: str) -> None:
    """TOML's integers have 64 bits; Python would take any and stumble later."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise BadRequest(f"{where} holds an integer beyond 64 bits")
    for item in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        _check_numbers(item, where)


def _check_sections(table: Table, path: Path) -> None:
    for section, content in table.items():
        if section not in SINGLE + NAMED:
            known = sorted(SINGLE + NAMED)
            raise BadRequest(f"{path} has {section!r}{meant(section, known)}, expected some of: {', '.join(known)}")
        if not isinstance(content, dict):
            raise BadRequest(f"{path} has {section} = {content!r:.80}, expected a table: [{section}]")
    for section in NAMED:
        for own, content in table.get(section, {}).items():
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", own) or own in SINGLE + NAMED:
                raise BadRequest(f"got the name {own!r:.80} in [{section}], expected letters, digits and _, no section")
            if not isinstance(content, dict):
                raise BadRequest(f"{path} has {section}.{own} = {content!r:.80}, expected a table: [{section}.{own}]")
    both = set(table.get("extractors", {})) & set(table.get("tasks", {}))
    if both:
        raise BadRequest(f"got {min(both)!r} as an extractor and as a task, expected two names")


def _own(table: Table, section: str) -> list[tuple[str, Table]]:
    return list(table.get(section, {}).items())


def _spell_out(setting: str, table: Table) -> tuple[list[str], Any, str]:
    """(path from the top of the recipe, value, the setting as written) of `a.b=value`."""
    words, equals, text = setting.partition("=")
    names = words.strip().split(".")
    if not equals or len(names) < 2 or not all(names):
        raise BadRequest(f"got --set {setting!r:.120}, expected NAME.FIELD=VALUE such as head.dropout=0.2")
    owners = {own: section for section in NAMED for own, _ in _own(table, section)}
    if names[0] in owners:
        names.insert(0, owners[names[0]])
    if names[0] in NAMED and names[1] not in table.get(names[0], {}):
        choices = list(table.get(names[0], {}))
        raise BadRequest(f"got --set {setting!r:.120}, {names[0]} has: {', '.join(choices) or 'nothing'}")
    if names[0] not in SINGLE + NAMED or (names[0] not in table and names[0] not in ("sampling", "training")):
        always = ("sampling", "training") if "head" in table else ()
        choices = list(dict.fromkeys([*(one for one in SINGLE if one in table), *always, *owners]))
        near = meant(names[0], choices)
        raise BadRequest(f"got --set {setting!r:.120}{near}, it may begin with: {', '.join(choices)}")
    return names, _value(text.strip()), setting


def _value(text: str) -> Any:
    """A TOML value, or the text itself where it is none."""
    try:
        table = _loads(f"value = {text}", "the setting")
    except BadRequest:
        return text
    return table["value"] if set(table) == {"value"} else text


def _apply(table: Table, spelt: tuple[list[str], Any, str]) -> None:
    names, value, setting = spelt
    for name in names[:-1]:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise BadRequest(f"got --set {setting!r:.120}, {name!r} is a value and has no fields")
    table[names[-1]] = value


def _spec(room: str, kind: type[Any], table: Table, called: str, finder: Finder) -> Any:
    """The spec of one table, of this kind: its `name` picks the class, the rest are its fields."""
    fields = {key: value for key, value in table.items() if key != "name"}
    cls = find(room, table.get("name", called))
    if not issubclass(cls, kind):
        raise BadRequest(f"{cls.__module__} holds no {kind.__name__}, which {room} must")
    return from_table(cls, finder.fill(cls, fields), called)
