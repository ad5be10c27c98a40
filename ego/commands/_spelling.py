"""A stored description of an extractor, spelt as a user would ask for it."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any


def options(description: Mapping[str, Any] | None) -> str:
    """The options of `ego extract` that name an extractor: `--with NAME --set NAME.FIELD=VALUE ...`."""
    if description is None:
        return "--with NAME"
    name = str(description["name"])
    settings = [f"--set {shlex.quote(f'{name}.{field}={value}')}" for field, value in fields(description)]
    return " ".join((f"--with {shlex.quote(name)}", *settings))


def fields(description: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """(dotted field, value as `--set` takes it) of a description; what is nothing is left to its default."""
    for field, value in description["fields"].items():
        if isinstance(value, Mapping) and set(value) == {"spec"}:
            if value["spec"]["room"] != "spec":
                yield f"{before}{field}.name", value["spec"]["name"]
            yield from fields(value["spec"], f"{before}{field}.")
        elif value is not None:
            yield f"{before}{field}", value if isinstance(value, str) else json.dumps(value)
