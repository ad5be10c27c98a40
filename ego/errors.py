"""The errors of `ego`, grouped by what their reader does next.

    EgoError
    ├── BadRequest      (ValueError)     change the recipe or the command
    ├── BadVideo                         skip this video, the others are fine
    ├── NotExtracted    (LookupError)    run `ego extract` first
    └── BrokenEntry                      `ego verify --repair`: it is set aside and extracted again

A message is one sentence that says what was got, what was expected and what to do next.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class EgoError(Exception):
    """Any error that is not a bug: its text is meant for the user."""


class BadRequest(EgoError, ValueError):
    """The recipe, the command or a field cannot mean anything: change it."""


class BadVideo(EgoError):
    """This one video cannot be used; the others can."""


class NotExtracted(EgoError, LookupError):
    """The store has no such entry yet: run `ego extract`."""


class BrokenEntry(EgoError):
    """An entry of the store is damaged or incomplete and must not be trusted."""


def meant(given: object, choices: Iterable[str]) -> str:
    """` (did you mean 'x'?)` of the choice that is spelt most like what was given; nothing where none is."""
    near = get_close_matches(given, list(choices), 1) if isinstance(given, str) else []
    return f" (did you mean {near[0]!r}?)" if near else ""
