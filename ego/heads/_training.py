"""How a head is trained, as the recipe says it; the loop itself is `ego.heads._train`."""

from dataclasses import dataclass
from typing import Literal

from ego.errors import BadRequest
from ego.spec import Spec


@dataclass(frozen=True)
class Training(Spec):
    """How a head is trained.

    `lr` falls to 0 by a cosine over all steps, or stays. An epoch's clips are dealt evenly into
    batches of at most `batch`. `steps` ends training earlier (0: after `epochs`).
    """

    optimiser: Literal["adamw", "sgd"] = "adamw"
    lr: float = 1e-3
    weight_decay: float = 1e-2
    momentum: float = 0.9
    schedule: Literal["cosine", "constant"] = "cosine"
    epochs: int = 100
    steps: int = 0
    batch: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("lr", "weight_decay", "momentum", "epochs", "steps", "batch", "seed"):
            least = 1 if name in ("epochs", "batch") else 0
            if getattr(self, name) < least:
                raise BadRequest(f"got training.{name} = {getattr(self, name)}, expected at least {least}")
