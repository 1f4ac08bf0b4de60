"""The head that a recipe asks for."""

import pytest

from saree_cosface.options import HeadOptions
from saree_cosface.training.head import make_head


@pytest.mark.parametrize("margin", [0.35, 0, 2.5])
def test_sphereface_wants_a_whole_margin(margin):
    with pytest.raises(ValueError, match=r"head\.margin is .*whole number, such as 4"):
        make_head(HeadOptions("sphereface", margin=margin), 8, 3)


def test_a_scale_out_of_bounds_is_warned_of(capsys):
    make_head(HeadOptions("cosface", scale=0.5), 8, 3)
    assert "Scale 0.5" in capsys.readouterr().err.replace("\n", " ")
    make_head(HeadOptions("softmax", scale=0.5), 8, 3)
    assert capsys.readouterr().err == ""
