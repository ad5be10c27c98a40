"""What makes a folder a store: a small file at its root that says in which format."""

import json

from ego.cache.marker import FORMAT
from ego.cache.place import STAGING, Folder, make_folder
from ego.errors import BadRequest

ROOT = "ego-store.json"


def create_root(place: Folder) -> None:
    """Makes an empty store where there is nothing; a folder that holds other things or cannot be written is refused."""
    try:
        _create(place)
    except OSError as error:
        raise BadRequest(
            f"got {place} as a store, which cannot be written ({error.strerror or error}); name a folder of your own"
        ) from error


def check_root(place: Folder) -> None:
    """Refuses a place that is not there or not a store, so that it is never taken for an empty one."""
    if not place.root.is_dir():
        raise BadRequest(f"there is no store at {place}; is its disk mounted? `ego extract --store` makes a new one")
    try:
        content = json.loads(place.get(ROOT))
    except (FileNotFoundError, IsADirectoryError):
        raise BadRequest(f"{place} is not a store: it has no {ROOT}; `ego extract --store` makes a new one") from None
    except OSError as error:
        raise BadRequest(
            f"the store {place} cannot be read ({error.strerror or error}); ask whoever owns it"
        ) from error
    except (ValueError, RecursionError) as error:
        raise BadRequest(f'{place}/{ROOT} is not readable JSON; write {{"format": {FORMAT}}} into it') from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else content
        raise BadRequest(f"{place} is a store of format {found!r:.40}, this ego reads format {FORMAT}; update ego")


def _create(place: Folder) -> None:
    if place.root.exists() and not place.root.is_dir():
        raise BadRequest(f"got {place} as a store, which is not a folder")
    make_folder(place.root)
    if place.size(ROOT) is None:
        if others := sorted(set(place.names() or []) - {STAGING, ROOT}):
            raise BadRequest(f"got {place} as a store, which holds other things ({others[0]!r}); name an empty folder")
        place.put(ROOT, json.dumps({"format": FORMAT}).encode() + b"\n")
