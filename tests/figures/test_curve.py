import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from saree_cosface.figures import curve
from saree_cosface.figures.curve import curve_figure
from tests.figures.test_confusion import assert_legible


def interval(value):
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


def document(crafts, factors=("1.5", "2")):
    drawn = {"factors": [0.2, 1.0, 2.0], "value": [0.3, 0.5, 0.6], "low": [0.2, 0.4, 0.5], "high": [0.4, 0.6, 0.7]}
    rows = [
        {
            "craft": f"craft_{number}_of_a_far_away_place",
            "sources": 3 + number,
            "measured": [{"sources": 1 + number, "accuracy": 0.4}],
            "curve": drawn,
        }
        for number in range(crafts)
    ]
    return {
        "photos": 728,
        "sources": 122,
        "confidence": 0.8,
        "crafts": rows,
        "curve": drawn,
        "measured": [{"share": 0.2, "accuracy": 0.3}, {"share": 0.8, "accuracy": 0.5}],
        "expected": {factor: interval(0.5 + 0.1 * float(factor)) for factor in factors},
    }


@pytest.mark.slow
@pytest.mark.parametrize("crafts", [1, 5, 13, 30])
def test_a_curve_is_legible(tmp_path, monkeypatch, crafts):
    figures = []
    save = curve.save_figure
    monkeypatch.setattr(curve, "save_figure", lambda figure, path: (save(figure, path), figures.append(figure)))
    curve_figure(document(crafts), tmp_path / "curve.png")
    FigureCanvasAgg(figures[0]).draw()
    assert_legible(figures[0])
    assert len(figures[0].axes) == 1 + crafts
    whole, *each = figures[0].axes
    assert "1.5 ×: 0.65" in whole.texts[0].get_text()
    assert [axes.get_title()[-4:].strip() for axes in each] == [f"({3 + number})" for number in range(crafts)]
    with Image.open(tmp_path / "curve.png") as image:
        assert max(image.size) < 4000
