import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from saree_cosface.figures import comparison, confusion, learning_curves
from saree_cosface.figures.comparison import comparison_figure
from saree_cosface.figures.confusion import confusion_figure
from saree_cosface.taxonomy import load_taxonomy
from tests.helpers.boxes import overlapping


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved, laid out as they were."""
    saved = []
    save = confusion.save_figure

    def keep(figure, path):
        save(figure, path)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        canvas.draw()  # the labels of axes follow their ticks one drawing later
        saved.append(figure)

    for module in (comparison, confusion, learning_curves):
        monkeypatch.setattr(module, "save_figure", keep)
    return saved


def texts_of(axes):
    ticks = []
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        ticks += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    titles = [axes.title, axes._left_title, axes._right_title]
    return [*ticks, *axes.texts, *titles, axes.xaxis.label, axes.yaxis.label]


def assert_legible(figure, smallest=6):
    renderer = figure.canvas.get_renderer()
    for axes in figure.axes:
        texts = [text for text in texts_of(axes) if text.get_text()]
        shown = [text.get_window_extent(renderer) for text in texts if text.get_visible()]
        assert not overlapping(shown, slack=0.5)
        for text in texts:
            assert text.get_fontsize() >= smallest


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 12, 20, 21, 40])
def test_a_confusion_matrix_is_legible(tmp_path, drawn, count):
    known = [craft.name for craft in load_taxonomy().crafts]
    names = (known + [f"{name} of another place" for name in known])[:count]
    rng = np.random.default_rng(0)
    matrix = rng.integers(1, 400, (count, count)) * (rng.random((count, count)) < 6 / count)
    matrix[0] = 0
    matrix[1, :2] = 388  # wide figures side by side
    confusion_figure(matrix, names, tmp_path / "confusion.png", "Protocol source: top-1 0.53, balanced 0.42")
    figure = drawn[0]
    assert_legible(figure)
    cells = figure.axes[0].texts
    assert len(cells) == np.count_nonzero(matrix)
    with Image.open(tmp_path / "confusion.png") as image:
        assert min(image.size) > 250
        assert max(image.size) < 4000


@pytest.mark.slow
def test_learning_curves(tmp_path, drawn):
    row = {"train/loss": 2.0, "train/accuracy": 0.5, "validation/accuracy": 0.4, "validation/balanced_accuracy": 0.3}
    learning_curves.learning_curves([{"epoch": epoch, **row} for epoch in range(60)], tmp_path / "curves.png")
    assert_legible(drawn[0])
    loss, scores = drawn[0].axes
    assert list(loss.lines[0].get_xdata()) == list(range(1, 61))
    assert len(scores.lines) == 3
    learning_curves.learning_curves([{"epoch": 0, "train/loss": 2.0, "train/accuracy": 0.5}], tmp_path / "one.png")
    assert len(drawn[1].axes[1].lines) == 1
    assert (tmp_path / "one.png").stat().st_size > 1000


def test_a_comparison_puts_the_best_on_top(tmp_path, drawn):
    rows = [(f"Method {row}", (row / 10, row / 10 - 0.1, row / 10 + 0.1), 0.9) for row in range(8)]
    comparison_figure([rows[3], *rows[:3], *rows[4:]], tmp_path / "compare.png", "311 photos", "balanced accuracy")
    assert_legible(drawn[0])
    labels = [label.get_text() for label in drawn[0].axes[0].get_yticklabels()]
    assert labels == [f"Method {row}" for row in range(8)]  # from the bottom up


def test_a_failed_figure_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(OSError, match=r"No space left.*curves\.png"):
        learning_curves.learning_curves(
            [{"epoch": 0, "train/loss": 2.0, "train/accuracy": 0.5}], tmp_path / "curves.png"
        )
    assert not list(tmp_path.iterdir())
