"""What was probably meant by a name that there is not."""

import pytest

from ego.errors import BadRequest, meant
from ego.spec import make


def test_the_name_that_is_spelt_most_like_it_is_told():
    assert meant("epoch", ["epochs", "steps"]) == " (did you mean 'epochs'?)"
    assert meant("xyz", ["epochs", "steps"]) == ""
    with pytest.raises(BadRequest, match=r"got 'linaer' from heads \(did you mean 'linear'\?\), expected one of: "):
        make("heads", "linaer", {})
    with pytest.raises(BadRequest, match=r"linear has no field 'nrom' \(did you mean 'norm'\?\); its fields are: "):
        make("heads", "linear", {"nrom": "none"})
