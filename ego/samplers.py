"""What a head sees of a clip: which of the rows that are stored, in training and when it is tested."""

from dataclasses import dataclass

from ego.errors import BadRequest
from ego.spec import Spec


@dataclass(frozen=True)
class Sampling(Spec):
    """How clips are looked at.

    Of each part of a clip the head sees `rows` rows, evenly spaced (0: every row whose centre lies in it).
    """

    rows: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rows < 0:
            raise BadRequest(f"got sampling.rows = {self.rows}, expected at least 0")
