"""Published weights fetched from their official source: checked, then put in place whole."""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ego.errors import BadRequest
from ego.extractors._published import WeightFile
from ego.pipeline.digests import file_sha256
from ego.pipeline.weights import published

CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 30


class Progress(NamedTuple):
    """Bytes that have come, and how many there will be (None where nobody says)."""

    done: int
    total: int | None


def get(name: str, into: Path) -> Iterator[Progress]:
    """Fetches the published file called `name` into a folder, telling how far it is; see `fetch`."""
    file = next((file for _, file in published() if file.name == name), None)
    if file is None:
        choices = ", ".join(sorted({file.name for _, file in published()}))
        raise BadRequest(f"got {name!r}, which is not published for any extractor; expected one of: {choices}")
    return fetch(file, into)


def fetch(file: WeightFile, into: Path) -> Iterator[Progress]:
    """Downloads a file beside its place, checks length and sha256, and renames it; nothing else is ever left.

    One that is already there with the right bytes is not fetched again. No network, another answer than
    the file, a short body or other bytes are a BadRequest.
    """
    target = into / file.name
    if file.sha256 and target.is_file() and file_sha256(target).startswith(file.sha256):
        yield Progress(target.stat().st_size, target.stat().st_size)
        return
    aside = into / f".{file.name}.{os.getpid()}.part"
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadRequest(f"the folder {into} cannot be made: {error.strerror}; name another with --into") from error
    try:
        yield from _download(file, aside)
        os.replace(aside, target)
    except urllib.error.HTTPError as error:
        raise BadRequest(f"{file.url} answered {error.code} {error.reason}; {_by_hand(file, into)}") from error
    except (http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise BadRequest(f"{file.url} cannot be fetched: {reason}; {_by_hand(file, into)}") from error
    finally:
        aside.unlink(missing_ok=True)


def _download(file: WeightFile, aside: Path) -> Iterator[Progress]:
    digest, done = hashlib.sha256(), 0
    request = urllib.request.Request(file.url, headers={"User-Agent": "ego"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer, aside.open("wb") as out:
        said = answer.headers.get("Content-Length")
        total = int(said) if said and said.isdigit() else file.bytes
        while chunk := answer.read(CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            out.write(chunk)
            yield Progress(done, total)
        out.flush()
        os.fsync(out.fileno())
    if total is not None and done != total:
        raise BadRequest(f"{file.url} broke off after {done} of {total} bytes; run the same command again")
    if not digest.hexdigest().startswith(file.sha256):
        raise BadRequest(
            f"{file.url} gave sha256 {digest.hexdigest()[:16]}..., published is {file.sha256[:16]}...; nothing was "
            "kept: try again, and if it stays so the file was changed or something between changed it"
        )


def _by_hand(file: WeightFile, into: Path) -> str:
    return f"fetch it where there is a network and put it at {into / file.name}"
