import matplotlib.image
import pytest

from saree_cosface.figures.collection import sizes_figure, sources_by_crafts_figure, views_figure


def crafts(count, sources):
    """Each of two sources of its own and of one that shows everything."""
    return [
        {
            "craft": f"craft ${number}_^\n<b>",
            "photos": 6,
            "sources": {"all": 2, f"s{number % sources}": 3, f"t{number % sources}": 1},
            "views": {f"view {number % 12}": 4, "pallu": 2},
        }
        for number in range(count)
    ]


def shape(path):
    pixels = matplotlib.image.imread(path)
    assert pixels[..., :3].std() > 0.02  # it shows something
    return pixels.shape[:2]


@pytest.mark.slow
def test_as_many_crafts_and_sources_as_a_page_holds(tmp_path):
    sources_by_crafts_figure(crafts(200, 200), tmp_path / "sources.png")
    assert max(shape(tmp_path / "sources.png")) < 5000


def test_few_crafts_are_named_and_numbered(tmp_path):
    sources_by_crafts_figure(crafts(3, 3), tmp_path / "sources.png")
    views_figure(crafts(3, 3), tmp_path / "views.png")
    assert min(shape(tmp_path / "sources.png")) > 200
    assert min(shape(tmp_path / "views.png")) > 200


def test_crafts_without_any_known_source(tmp_path):
    nothing = [{"craft": "patola", "photos": 2, "sources": {}, "views": {"unknown": 2}}]
    sources_by_crafts_figure(nothing, tmp_path / "sources.png")
    assert min(shape(tmp_path / "sources.png")) > 100


def test_sizes_of_one_photo_and_of_many_formats(tmp_path):
    sizes_figure({"JPEG": [224]}, 224, tmp_path / "one.png")
    sizes_figure({f"F{number}": [1, 20_000 + number] for number in range(10)}, 224, tmp_path / "many.png")
    assert shape(tmp_path / "one.png")[1] == pytest.approx(shape(tmp_path / "many.png")[1], rel=0.1)
