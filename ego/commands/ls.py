"""`ego ls`: what there is to name: plug-ins of each room and their fields, videos of a store."""

import ast
import dataclasses
import inspect
import json
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_type_hints

import click

from ego.errors import BadRequest
from ego.report.text import columns
from ego.spec import ROOMS, Spec, find, names

KINDS = (*ROOMS, "videos")


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name", required=False)
@click.option("--store", "places", multiple=True, envvar="EGO_STORE", metavar="DIR", help="For videos. [$EGO_STORE]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(kind: str, name: str | None, places: tuple[str, ...], as_json: bool) -> None:
    """List plug-ins, their fields, or the videos of a store.

    \b
    Examples:
      ego ls extractors
      ego ls extractors image_model
      ego ls videos --store features/
    """
    if kind == "videos":
        rows: list[tuple[object, ...]] = [*_videos(places)]
        head = ["video", "digest", "entries"]
    elif name is None:
        rows, head = [(one, _first_line(kind, one)) for one in names(kind)], ["name", "what it is"]
    else:
        cls = find(kind, name)
        rows, head = [*_fields(cls)], ["field", "is", "default"]
        if not as_json:
            click.echo(f"{name} (version {cls.version})\n\n{inspect.getdoc(cls)}\n")
    if as_json:
        for row in rows:
            click.echo(json.dumps(dict(zip(head, row, strict=True))))
    else:
        click.echo(columns(rows, head) if rows else f"no {kind} here")


def _first_line(room: str, name: str) -> str:
    """The first line of a plug-in's module docstring, read without importing it."""
    module = find_spec(f"ego.{room}.{name}") if ":" not in name else find_spec(find(room, name).__module__)
    if module is None or module.origin is None:
        return ""
    doc = ast.get_docstring(ast.parse(Path(module.origin).read_text(encoding="utf-8"))) or ""
    return doc.partition("\n")[0]


def _fields(cls: type[Spec]) -> list[tuple[str, str, str]]:
    """(field, what it may be, default) of each field of a spec, in order."""
    hints = get_type_hints(cls)
    return [(field.name, _hint(hints[field.name]), _default(field)) for field in dataclasses.fields(cls)]


def _hint(hint: Any) -> str:
    text = inspect.formatannotation(hint)
    for noise in ("typing.", "ego.fields.", "ego.video.", "ego.sampling.", "ego.extractors._base."):
        text = text.replace(noise, "")
    return text


def _default(field: "dataclasses.Field[Any]") -> str:
    if field.default is not dataclasses.MISSING:
        value = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        return "(must be given)"
    return _short(value)


def _short(value: Any) -> str:
    """A value as it is written; of a nested spec only what differs from its own defaults."""
    if not isinstance(value, Spec):
        return json.dumps(value) if isinstance(value, str | bool) else repr(value)
    given = (
        f"{field.name}={_short(getattr(value, field.name))}"
        for field in dataclasses.fields(value)
        if getattr(value, field.name) != field.default
    )
    return f"{type(value).__name__}({', '.join(given)})"


def _videos(places: tuple[str, ...]) -> list[tuple[str, str, int]]:
    """(name, digest, number of entries) of each video in a store; a video without a note has only digest16."""
    if not places:
        raise BadRequest("got no store to list the videos of; name one with --store DIR")
    from ego.cache.store import FeatureStore

    store = FeatureStore(*places)
    notes = {digest[:16]: note for digest, note in store.video_notes().items()}
    count = Counter(entry[:16] for _, entry, state in store.listing().entries() if state in ("stored", "absent"))
    rows = [
        (notes[one].name if one in notes else "?", notes[one].digest if one in notes else one, count[one])
        for one in {*count, *notes}
    ]
    return sorted(rows)
