"""The weights files that authors published."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ANY = "any"


@dataclass(frozen=True)
class WeightFile:
    """A file its authors published: what it is called, where it lies and how its bytes are known.

    `sha256` is the whole hex digest or as much of it as is published (torchvision puts eight digits
    in the name); empty where none is. `bytes` is its size where known. `when` names the field values
    it belongs to, such as `(("depth", 18),)`; `ANY` stands for all but None.
    """

    name: str
    url: str
    sha256: str
    licence: str
    note: str
    bytes: int | None = None
    when: tuple[tuple[str, Any], ...] = ()

    def fits(self, values: Mapping[str, Any]) -> bool:
        """Whether it belongs to a spec with these field values."""
        return all(
            values.get(name) is not None if value == ANY else values.get(name) == value for name, value in self.when
        )
