"""`python_model`: a network that a function of an installed package makes, for research code."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ego.errors import BadRequest
from ego.extractors._base import Files
from ego.extractors._tensor_model import TensorModel
from ego.spec import Weights

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class PythonModel(TensorModel):
    """`factory` is `package.module:function`: called with `options` (a JSON table), it gives an nn.Module.

    The function's source is not in the digest; `revision` is, and stands for it: a commit or a version of
    that package, to be changed whenever its code changes the numbers. `weights`, where given, must fill the
    module exactly; without them the function loads its own.
    """

    factory: str
    revision: str
    options: str = "{}"
    weights: Weights | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        module, _, function = self.factory.partition(":")
        if not all(part.isidentifier() for part in [*module.split("."), function]):
            raise BadRequest(f"got factory {self.factory!r} for {self.name}, expected package.module:function")
        if not self.revision.strip():
            raise BadRequest(
                f"got no revision for {self.name}; set it to the commit or version of {module.split('.')[0]}: its code "
                "is not in the digest, its revision is"
            )

    def network(self, files: Files) -> "nn.Module":
        """What the function makes, in eval mode, with the weights in it."""
        from ego.extractors._factory import make

        return make(self.factory, self.options, self.weights, files)
