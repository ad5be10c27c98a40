"""What a thing is, written so that its digest says it: frozen fields, canonical JSON, sha256.

What changes the numbers is a field of a `Spec`; what only changes place or speed is an argument.
A room (`extractors`, `heads`, `tasks`, `datasets`) is a folder of plug-ins: the module
`ego/extractors/i3d.py` *is* `i3d`. Packages add members through the entry-point group
`ego.<room>`; such a member is called `<distribution>:<entry point>`.
"""

import dataclasses
import hashlib
import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, ClassVar

from ego.errors import BadRequest, meant
from ego.fields import Weights as Weights
from ego.fields import conform, options, say

ROOMS = ("extractors", "heads", "tasks", "datasets")
Kind = typing.TypeVar("Kind", bound="Spec")

_HINTS: dict[type[Any], dict[str, Any]] = {}


def late(default: Any) -> Any:
    """A field added after digests were published: left out of the digest while it holds `default`."""
    return dataclasses.field(default=default, metadata={"late": True})


@dataclass(frozen=True)
class Spec:
    """A frozen description with a digest; two specs are the same thing exactly if digests are equal.

    Every field is checked against its annotation when the spec is made: `bool`, `int`, `float`
    (finite; an int is taken), `str`, `Literal`, `Weights`, another `Spec`, `tuple[...]`, unions of
    these and None. `version` is raised by hand when the numbers a spec stands for change.
    """

    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        hints = _hints(type(self))
        for field in dataclasses.fields(self):
            value = conform(getattr(self, field.name), hints[field.name], f"{self.name}.{field.name}")
            object.__setattr__(self, field.name, value)

    @property
    def room(self) -> str:
        """The room this spec lives in, such as `extractors`; `spec` for a plain part of others."""
        return _identity(type(self))[0]

    @property
    def name(self) -> str:
        """The plug-in's name: its module, or `<distribution>:<entry point>` for another package's."""
        return _identity(type(self))[1]

    @cached_property
    def digest(self) -> str:
        """64 hex digits: sha256 over the canonical JSON of room, name, version and every field."""
        return hashlib.sha256(canonical_json(self.describe()).encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """The spec as plain JSON: `{room, name, version, fields}`, nested specs tagged `{"spec": ...}`."""
        fields = {
            field.name: _plain(getattr(self, field.name))
            for field in dataclasses.fields(self)
            if not (field.metadata.get("late") and getattr(self, field.name) == field.default)
        }
        return {"room": self.room, "name": self.name, "version": self.version, "fields": fields}

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)


def canonical_json(value: Any) -> str:
    """The one text of a JSON value: sorted keys, no spaces, ASCII, no NaN; equal values, equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def names(room: str) -> list[str]:
    """The plug-ins of a room, sorted: its modules without a leading underscore, and entry points."""
    _check_room(room)
    folder = Path(__file__).parent / room
    found = [path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")]
    found += [path.parent.name for path in folder.glob("*/__init__.py")]
    return sorted(found) + sorted(_foreign(room))


def find(room: str, name: str) -> type[Spec]:
    """The class called `name` in `room`; only its module is imported. Unknown: BadRequest."""
    if name not in names(room):
        near = ", ".join(names(room)) or "none"
        raise BadRequest(f"got {name!r} from {room}{meant(name, names(room))}, expected one of: {near}")
    module = _foreign(room).get(name) or f"ego.{room}.{name}"
    classes = [
        value
        for value in vars(import_module(module)).values()
        if isinstance(value, type)
        and issubclass(value, Spec)
        and value.__module__.startswith(module)
        and _identity(value) == (room, name)
        and not getattr(value, "__abstractmethods__", None)
    ]
    if len(classes) != 1:
        raise BadRequest(f"{module} must define exactly one final class of {room}, got {len(classes)}")
    return classes[0]


def make(room: str, name: str, fields: Mapping[str, Any], called: str | None = None) -> Spec:
    """The spec `name` of `room` with these fields; nested specs are tables with a `name` of their own.

    `called` is what a recipe calls it, for messages. An unknown field, a missing one or one of
    another type is a BadRequest that lists the choices.
    """
    return from_table(find(room, name), fields, called or name)


def from_table(cls: type[Kind], fields: Mapping[str, Any], called: str) -> Kind:
    """The spec of class `cls` that a table of fields says, with the errors of `make`."""
    known = {field.name: field for field in dataclasses.fields(cls)}
    for given in fields:
        if given not in known:
            near = meant(given, known)
            raise BadRequest(f"{called} has no field {given!r}{near}; its fields are: {', '.join(known) or 'none'}")
    hints = _hints(cls)
    values = {}
    for key, value in fields.items():
        where = f"{called}.{key}"
        values[key] = conform(_nested(value, hints[key], where), hints[key], where)
    missing = [
        key
        for key, field in known.items()
        if key not in values and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        hint = f"set it with --set {called}.{missing[0]}=..."
        raise BadRequest(f"{called} needs a value for: {', '.join(missing)}; {hint}")
    return cls(**values)


def weight_fields(cls: type[Any]) -> list[str]:
    """The names of the fields of `cls` that hold weights, in order."""
    return [name for name, hint in _hints(cls).items() if hint is Weights or Weights in typing.get_args(hint)]


def rebuild(description: Mapping[str, Any]) -> Spec:
    """The spec that `describe` described; a version other than the code's is a BadRequest."""
    try:
        room, name, version = description["room"], description["name"], description["version"]
        fields = dict(description["fields"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadRequest(f"got {description!r:.200}, expected room, name, version and fields") from error
    cls = find(room, name)
    if cls.version != version:
        raise BadRequest(
            f"{name} version {version} is stored, this ego has version {cls.version}; extract it, or fit the run, again"
        )
    return make(room, name, {key: _revive(value) for key, value in fields.items()})


def rebuild_part(cls: type[Kind], description: Mapping[str, Any]) -> Kind:
    """The spec of a known class that `describe` described, such as one that is in no room; see `rebuild`."""
    try:
        version, fields = description["version"], dict(description["fields"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadRequest(f"got {description!r:.200}, expected version and fields") from error
    if cls.version != version:
        raise BadRequest(f"{cls.__name__} version {version} is stored, this ego has version {cls.version}")
    return from_table(cls, {key: _revive(value) for key, value in fields.items()}, cls.__name__.lower())


def held(hint: Any, table: Mapping[str, Any], where: str) -> type[Spec] | None:
    """The class of the spec that a nested table stands for; None where the annotation holds none.

    Plug-ins are named by their `name` in the room, plain parts by that of their class; without a name it is
    the annotation's one plug-in or its first plain part. A name that is none of them is a BadRequest.
    """
    parts = [one for one in options(hint) if isinstance(one, type) and issubclass(one, Spec)]
    if not parts:
        return None
    room, own = _identity(parts[0])
    if room not in ROOMS:
        known = {_identity(one)[1]: one for one in parts}
        name = table.get("name", next(iter(known)))
        if name not in known:
            raise BadRequest(f"got {name!r} for {where}{meant(name, known)}, expected one of: {', '.join(known)}")
        return known[name]
    if not getattr(parts[0], "__abstractmethods__", None):
        return find(room, str(table.get("name", own)))  # the field takes one kind: no need to say which
    if "name" not in table:
        raise BadRequest(f"got a table without a name for {where}, expected name = one of: {', '.join(names(room))}")
    return find(room, str(table["name"]))


def _revive(value: Any) -> Any:
    if isinstance(value, Mapping) and set(value) == {"spec"}:
        inner = value["spec"]
        if inner.get("room") == "spec":
            return {"name": inner["name"], **{key: _revive(one) for key, one in inner["fields"].items()}}
        return rebuild(inner)
    return [_revive(item) for item in value] if isinstance(value, list) else value


def _nested(value: Any, hint: Any, where: str) -> Any:
    """A table in a recipe becomes the spec that the field's annotation asks for, a list of tables a tuple of them."""
    if isinstance(value, list) and typing.get_origin(hint) is tuple and typing.get_args(hint)[1:] == (Ellipsis,):
        return [_nested(one, typing.get_args(hint)[0], where) for one in value]
    if not isinstance(value, Mapping):
        return value
    part = held(hint, value, where)
    if part is None:
        raise BadRequest(f"got a table for {where}, expected {say(hint)}")
    return from_table(part, {key: one for key, one in value.items() if key != "name"}, where)


def _check_room(room: str) -> None:
    if room not in ROOMS:
        raise BadRequest(f"got room {room!r}, expected one of: {', '.join(ROOMS)}")


@cache
def _foreign(room: str) -> dict[str, str]:
    """Plug-ins of other packages: `<distribution>:<entry point>` -> module path."""
    found: dict[str, str] = {}
    for entry in metadata.entry_points(group=f"ego.{room}"):
        name = f"{entry.dist.name if entry.dist else 'unknown'}:{entry.name}"
        if found.get(name, entry.value) != entry.value:
            raise BadRequest(f"two plug-ins are called {name!r}: {found[name]} and {entry.value}; remove one package")
        found[name] = entry.value
    return found


def _identity(cls: type[Any]) -> tuple[str, str]:
    """(room, name) of a class, from the module that defines it; a whole part in a room's furniture is a plain part."""
    parts = cls.__module__.split(".")
    if parts[0] == "ego" and parts[-1].startswith("_") and not getattr(cls, "__abstractmethods__", None):
        return "spec", cls.__name__
    if parts[0] == "ego" and len(parts) > 2 and parts[1] in ROOMS:
        return parts[1], parts[2]
    for room in ROOMS:
        for name, module in _foreign(room).items():
            if cls.__module__ == module:
                return room, name
    if parts[0] == "ego":
        return "spec", cls.__name__
    bases = [_identity(base)[0] for base in cls.__mro__[1:] if base not in (Spec, object) and issubclass(base, Spec)]
    room = next((base for base in bases if base != "spec"), "spec")
    return room, f"{cls.__module__}:{cls.__qualname__}"


def _hints(cls: type[Any]) -> dict[str, Any]:
    """The type of each field; looked up once a class."""
    if cls not in _HINTS:
        hints = typing.get_type_hints(cls)
        _HINTS[cls] = {field.name: hints[field.name] for field in dataclasses.fields(cls)}
    return _HINTS[cls]


def _plain(value: Any) -> Any:
    if isinstance(value, Spec):
        return {"spec": value.describe()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value
