"""The toy experiment: what is measured is measured right, and the margin does what Figure 4 of the paper shows."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from saree_cosface.cli import main
from saree_cosface.faces import toy
from saree_cosface.faces.datasets import FaceDataError
from saree_cosface.faces.toy import CLASSES, SCALE, digits, faces, run_toy, spread
from saree_cosface.options import FaceOptions
from tests.helpers.faces import people


def on_the_circle(degrees):
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_spread_goes_round_the_circle_and_ignores_lengths():
    degrees = np.array([178, -178, 90, 94, -60, -66], dtype=float)
    labels = np.array([0, 0, 1, 1, 2, 2])
    lengths = np.array([1, 5, 0.1, 3, 2, 2])[:, None]
    found = spread(on_the_circle(degrees) * lengths, labels)
    # Means at 180, 92 and -63 degrees; arcs of 2, 2 and 3 degrees to either side.
    assert found["min_angle"] == pytest.approx(88)
    assert found["within_angle"] == pytest.approx((2 + 2 + 3) / 3)
    assert found["gap"] == pytest.approx((360 - 2 * (2 + 2 + 3)) / 3)


def test_spread_tells_an_overlap_by_a_negative_gap():
    degrees = np.array([-10, 10, -5, 15, 175, 185], dtype=float)
    found = spread(on_the_circle(degrees), np.array([0, 0, 1, 1, 2, 2]))
    assert found["min_angle"] == pytest.approx(5)
    # Free arcs: 5 - 20 = -15 between the first two; 180 - 5 - 10 - 5 and 180 - 10 - 5 on the other sides.
    assert found["gap"] == pytest.approx((-15 + 160 + 165) / 3)


def test_the_scale_is_enough_for_the_largest_margin_shown():
    def posterior(margin):
        """Of a class centre whose prototype is its own, among prototypes 360 / 8 degrees apart."""
        others = np.cos(2 * np.pi * np.arange(1, CLASSES) / CLASSES)
        return 1 / (1 + np.exp(SCALE * (others - 1 + margin)).sum())

    assert posterior(0.2) > 0.9
    assert posterior(0.3) < 0.5  # beyond 1 - cos 45 degrees no class can win


def test_digits_are_eight_classes():
    images = digits()
    assert images.pixels.dtype == np.uint8
    assert images.pixels.shape[1:] == (16, 16, 3)
    assert images.pixels.max() == 255
    assert np.array_equal(np.unique(images.labels), np.arange(CLASSES))
    assert images.name == "toy_digits"
    assert "digits" in images.title


def test_faces_are_the_people_with_most_photos(tmp_path):
    people(tmp_path / "faces", 9, 4)
    (tmp_path / "faces" / "Person_4" / "Person_4_0004.jpg").unlink()
    images = faces(FaceOptions(images=str(tmp_path / "faces"), cache=tmp_path / "cache"))
    assert np.array_equal(np.bincount(images.labels), [4] * CLASSES)
    assert images.pixels.shape == (32, 56, 48, 3)
    assert not any("Person_" in name for name in images.names)


def test_too_few_people_are_refused(tmp_path):
    people(tmp_path / "faces", 3, 2)
    with pytest.raises(FaceDataError, match=r"photos of 3 people; the toy experiment takes 8"):
        faces(FaceOptions(images=str(tmp_path / "faces"), cache=tmp_path / "cache"))


@pytest.mark.slow
def test_an_interrupted_figure_goes_on(tmp_path, monkeypatch):
    found = digits()
    few = replace(found, pixels=found.pixels[:64], labels=found.labels[:64])
    train, names = toy.train, []

    def interrupted(name, *arguments):
        if name == "LMCL, m = 0.2" and len(names) < 4:
            names.append("interrupted")
            raise KeyboardInterrupt
        names.append(name)
        return train(name, *arguments)

    monkeypatch.setattr(toy, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_toy(tmp_path, few, epochs=1, progress=False)
    document = run_toy(tmp_path, few, epochs=1, progress=False)
    assert names == ["softmax", "LMCL, m = 0", "LMCL, m = 0.1", "interrupted", "LMCL, m = 0.2"]
    assert run_toy(tmp_path, few, epochs=1, progress=False) == document
    assert len(names) == 5
    run_toy(tmp_path, few, epochs=1, seed=1, progress=False)
    assert len(names) == 9  # another seed is another training
    run_toy(tmp_path, replace(few, labels=few.labels[::-1].copy()), epochs=1, progress=False)
    assert len(names) == 13


@pytest.mark.slow
def test_the_margin_pushes_classes_apart_and_together(tmp_path):
    document = run_toy(tmp_path, digits(), epochs=6, progress=False)
    assert json.loads((tmp_path / "toy_digits.json").read_text()) == json.loads(json.dumps(document))
    rows = {row["name"]: row for row in document["rows"]}
    assert list(rows) == ["softmax", "LMCL, m = 0", "LMCL, m = 0.1", "LMCL, m = 0.2"]
    assert rows["softmax"]["accuracy_with_lengths"] > rows["softmax"]["accuracy"] + 0.1  # it needs the lengths
    lmcl = [rows[f"LMCL, m = {margin}"] for margin in ("0", "0.1", "0.2")]
    assert all(row["accuracy"] > 0.98 for row in lmcl)
    assert lmcl[0]["within_angle"] > lmcl[1]["within_angle"] > lmcl[2]["within_angle"]
    assert lmcl[0]["gap"] < lmcl[1]["gap"] < lmcl[2]["gap"]
    assert lmcl[2]["min_angle"] > max(lmcl[0]["min_angle"], rows["softmax"]["min_angle"])
    with Image.open(tmp_path / "toy_digits.png") as figure:
        assert min(figure.size) > 800


@pytest.mark.slow
def test_the_command_takes_a_recipe_of_the_other_experiments(tmp_path, capsys):
    people(tmp_path / "faces", 9, 3)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"data:\n  images: {tmp_path / 'faces'}\n  cache: {tmp_path / 'cache'}\n"
        "model:\n  backbone: sphereface64\nhead:\n  name: nsl\noptim:\n  lr: 1.0e+9\n"
    )
    command = ["faces", "toy", "--config", str(recipe), "--out", str(tmp_path / "out"), "--epochs", "1", "--json"]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert document["photos"] == 24
    assert document["epochs"] == 1
    assert document["images"] == "faces"
    assert (tmp_path / "out" / "toy.png").is_file()
