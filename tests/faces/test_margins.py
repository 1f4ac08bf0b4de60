import json
import math

import numpy as np
import pytest
from PIL import Image

from saree_cosface.faces.margins import BOTH, CLASS_1, CLASS_2, NEITHER, draw_margins, losses

LOSSES = {loss.name: loss for loss in losses()}


def plain_conditions(name, first, second):
    """Whether an embedding satisfies class 1 and class 2, written from the paper's Section 3.3."""
    if name == "Softmax":  # with the own prototype 1.3 times as long
        return 1.3 * first >= second, 1.3 * second >= first
    if name == "NSL":
        return first >= second, second >= first
    if name == "LMCL":
        return first - 0.35 >= second, second - 0.35 >= first

    def psi(angle):
        k = np.minimum(np.floor(angle * 4 / math.pi), 3)
        return (-1) ** k * np.cos(4 * angle) - 2 * k

    return psi(first) >= np.cos(second), psi(second) >= np.cos(first)


@pytest.mark.parametrize("name", LOSSES)
def test_regions_are_those_of_the_papers_conditions(name):
    loss = LOSSES[name]
    points = 60  # no point of the grid lies on a boundary but the diagonal's
    axis = np.linspace(0, loss.largest, points)
    first, second = np.meshgrid(axis, axis)
    one, two = plain_conditions(name, first, second)
    off = ~np.eye(points, dtype=bool)
    expected = CLASS_1 * one + CLASS_2 * two
    assert np.array_equal(loss.regions(points)[off], expected[off])
    present = set(np.unique(expected[off]).tolist())
    assert present >= {CLASS_1, CLASS_2}
    assert (NEITHER in present) == (name in ("A-Softmax", "LMCL"))
    assert (BOTH in present) == (name == "Softmax")


@pytest.mark.parametrize("margin", [0.1, 0.35])
def test_the_margin_of_lmcl_is_the_same_everywhere(margin):
    lmcl = next(loss for loss in losses(margin=margin) if loss.name == "LMCL")
    for middle in (0.3, 0.5, 0.7):
        assert lmcl.width(middle) == pytest.approx(math.sqrt(2) * margin, abs=1e-9)
    assert LOSSES["NSL"].width(0.5) == pytest.approx(0, abs=1e-9)


def test_the_margin_of_a_softmax_vanishes_with_the_angle():
    widths = [LOSSES["A-Softmax"].width(math.radians(degrees)) for degrees in (0.01, 1, 10, 30)]
    assert widths == sorted(widths)
    # On the boundary 4 theta_1 = theta_2, so the two meet the line through (a, a) 1.2 a apart in each coordinate.
    assert widths == pytest.approx([math.sqrt(2) * 1.2 * math.radians(a) for a in (0.01, 1, 10, 30)], rel=1e-6)


def test_classes_overlap_under_softmax_where_prototypes_differ_in_length():
    assert LOSSES["Softmax"].width(0.5) < -0.1
    with pytest.raises(ValueError, match="no boundary"):
        LOSSES["LMCL"].width(0.01)


@pytest.mark.slow
def test_the_document_and_the_figure_are_written(tmp_path):
    document = draw_margins(tmp_path)
    assert json.loads((tmp_path / "margins.json").read_text()) == json.loads(json.dumps(document))
    assert [loss["name"] for loss in document["losses"]] == list(LOSSES)
    lmcl = document["losses"][-1]
    assert all(width["width"] == pytest.approx(math.sqrt(2) * 0.35) for width in lmcl["widths"])
    assert sum(lmcl["shares"].values()) == pytest.approx(1)
    with Image.open(tmp_path / "margins.png") as figure:
        assert min(figure.size) > 300
        assert len(figure.convert("RGB").getcolors(1 << 24)) > 20
