"""Model folders of `transformers`: what `save_pretrained` writes, and the hub's cache on this machine."""

import os
import re
from pathlib import Path

from ego.errors import BadRequest

FILES = ("model.safetensors", "pytorch_model.bin")
"""What the weights in a model folder are called, best first."""
HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(@[\w.-]+)?")
"""`owner/name`, or `owner/name@revision`."""


def model_file(text: str) -> Path | None:
    """The weights in a model folder, or in the hub's cache of a model `owner/name[@revision]`; None where neither is.

    A folder that holds its weights in several files is a BadRequest.
    """
    folder = Path(text).expanduser()
    if not folder.is_dir():
        cached = _snapshot(text) if HUB_NAME.fullmatch(text) and not folder.exists() else None
        if cached is None:
            return None
        folder = cached
    if not (folder / "config.json").is_file():
        return None
    found = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if found is not None:
        return found
    if any(folder.glob("*.index.json")):
        raise BadRequest(
            f"got {text}, whose weights are in several files; write them as one with "
            "save_pretrained(folder, max_shard_size='1TB')"
        )
    raise BadRequest(f"got {text}, a model folder without {' or '.join(FILES)}; put its weights there")


def _snapshot(text: str) -> Path | None:
    """The folder of a revision in the hub's cache; nothing is fetched."""
    name, _, revision = text.partition("@")
    folder = _hub_cache() / f"models--{name.replace('/', '--')}"
    reference = folder / "refs" / (revision or "main")
    commit = reference.read_text().strip() if reference.is_file() else revision
    snapshot = folder / "snapshots" / commit
    return snapshot if commit and snapshot.is_dir() else None


def _hub_cache() -> Path:
    """Where the hub's own tools keep models: $HF_HUB_CACHE, else `hub` in $HF_HOME, else in ~/.cache/huggingface."""
    if os.environ.get("HF_HUB_CACHE"):
        return Path(os.environ["HF_HUB_CACHE"]).expanduser()
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "huggingface")
    return Path(home).expanduser() / "hub"
