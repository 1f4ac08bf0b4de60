import json
import math

import pytest
from PIL import Image

from saree_cosface.faces.margins import draw_margins


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("margins")
    return folder, draw_margins(folder)


def test_the_document_and_the_figure_are_written(drawn):
    folder, document = drawn
    assert json.loads((folder / "margins.json").read_text()) == json.loads(json.dumps(document))
    assert len(document["losses"]) == 4
    with Image.open(folder / "margins.png") as figure:
        assert min(figure.size) > 300
        assert len(figure.convert("RGB").getcolors(1 << 24)) > 20


def test_lmcl_has_the_papers_margin_measured_from_its_logits(drawn):
    lmcl = next(loss for loss in drawn[1]["losses"] if "LMCL" in json.dumps(loss))
    numbers = [value for value in _numbers(lmcl) if math.isclose(value, math.sqrt(2) * 0.35, abs_tol=0.01)]
    assert numbers


def _numbers(value):
    if isinstance(value, dict):
        return [number for entry in value.values() for number in _numbers(entry)]
    if isinstance(value, list):
        return [number for entry in value for number in _numbers(entry)]
    return [value] if isinstance(value, float) else []
