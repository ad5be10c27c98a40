"""Small JSON documents that say by themselves whether they are whole."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from ego.errors import BadRequest
from ego.spec import canonical_json


class Damage(Exception):
    """Stored bytes are not what was written; the store turns it into a BrokenEntry that names them."""


def seal(content: Mapping[str, Any]) -> bytes:
    """The one text of `content` with its own sha256 inside; what JSON cannot say is a BadRequest."""
    try:
        text = canonical_json(content)
        content = json.loads(text)  # as its reader will see it: text keys, lists
        if canonical_json(content) != text:
            raise ValueError("keys that are not text")
        checksum = hashlib.sha256(text.encode()).hexdigest()
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRequest(f"got {content!r:.200} to store, expected finite numbers, text, lists and tables") from error
    return _text({**content, "checksum": checksum})


def unseal(data: bytes) -> dict[str, Any]:
    """What `seal` sealed, without its checksum; one changed bit anywhere is Damage."""
    try:
        content = json.loads(data)
        if not isinstance(content, dict):
            raise Damage("it is not a JSON table")
        if _text(content) != data:
            raise Damage("its text was changed")
        checksum = content.pop("checksum", None)
        if hashlib.sha256(canonical_json(content).encode()).hexdigest() != checksum:
            raise Damage("its checksum does not match")
    except (ValueError, RecursionError) as error:
        raise Damage("it is not readable JSON") from error
    return content


def _text(content: Mapping[str, Any]) -> bytes:
    return canonical_json(content).encode() + b"\n"
