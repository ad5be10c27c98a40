"""Where networks run, and which libraries they ran on."""

from importlib import metadata

import torch

from ego.errors import BadRequest

RECORDED = (
    "numpy",
    "torch",
    "transformers",
    "onnxruntime",
    "ai-edge-litert",
    "opencv-contrib-python-headless",
    "zarr",
    "zarrs",
)


def device_of(asked: str) -> str:
    """A device torch can use here; `auto` is the GPU where there is one, anything else a BadRequest."""
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(asked).type
    except RuntimeError as error:
        raise BadRequest(f"got device {asked!r}, expected auto, cpu, cuda or cuda:N") from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise BadRequest(f"got device {asked!r}, but torch sees no GPU here; use --device cpu, or see `ego doctor`")
    return asked


def libraries() -> dict[str, str]:
    """The version of each library that may move a number, where it is installed."""
    found = {}
    for name in RECORDED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
