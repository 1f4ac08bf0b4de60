"""MegaFace: lists of probes and distractors, and of noise to be left out."""

import json

import pytest

from saree_cosface.faces.datasets import FaceDataError
from saree_cosface.faces.megaface import (
    TemplateList,
    read_distractors,
    read_noise_list,
    read_probes,
    read_template_list,
    without_noise,
)


def templates(file, /, **value):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value))
    return file


def test_template_lists(tmp_path):
    path = templates(tmp_path / "list.json", path=["Adam/Adam_1.png", "Bo\\Bo_2.png"], id=["Adam", "Bo"])
    found = read_template_list(path)
    assert found.paths == ("Adam/Adam_1.png", "Bo/Bo_2.png")
    assert found.ids == ("Adam", "Bo")
    assert read_template_list(templates(tmp_path / "list.json", path=["1/a.jpg"])).ids == ()


def test_probes_and_distractors(tmp_path):
    lists = tmp_path / "templatelists"
    templates(lists / "facescrub_features_list.json", path=["A/1.png", "A/2.png"], id=["A", "A"])
    templates(lists / "fgnet_features_list.json", path=["A/1.png"])
    templates(lists / "megaface_features_list.json_10_2", path=[f"1/{i}.jpg" for i in range(10)])
    templates(lists / "megaface_features_list.json_100_1", path=["1/2.jpg"])
    assert read_probes(tmp_path, "facescrub").ids == ("A", "A")
    assert len(read_distractors(tmp_path, 10, 2)) == 10
    with pytest.raises(FaceDataError, match="names no people"):
        read_probes(tmp_path, "fgnet")
    with pytest.raises(FaceDataError, match="lists 1 distractors, not 100"):
        read_distractors(tmp_path, 100)
    with pytest.raises(FileNotFoundError, match="draw 1 of 1000000 distractors of MegaFace.*decommissioned"):
        read_distractors(tmp_path)
    with pytest.raises(ValueError, match="one of facescrub, fgnet"):
        read_probes(tmp_path, "lfw")


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('["a"]', '"path"'),
        ('{"path": []}', '"path"'),
        ('{"path": [1]}', '"path"'),
        ('{"path": ["a"], "id": ["b", "c"]}', '"id" must be'),
        ('{"path": ["a"], "id": 3}', '"id" must be'),
        ('{"path": ["a/1", "b", "a/1"]}', "1 images twice"),
        ('{"path": ["../../etc/passwd"]}', "leads out"),
        ('{"path": [""]}', "no image name"),
    ],
)
def test_lists_that_are_none(content, pattern, tmp_path):
    (tmp_path / "list.json").write_text(content)
    with pytest.raises(FaceDataError, match=pattern):
        read_template_list(tmp_path / "list.json")


def test_noise_is_left_out_and_counted(tmp_path):
    (tmp_path / "facescrub_noises.txt").write_text("# by hand\nAdam_Brody_2.png\nAl Pacino_7.png\n")
    (tmp_path / "megaface_noises.txt").write_text("0/10@N00/1.jpg_0.jpg\nwhy\t1/2@N00/3.jpg_1.jpg\n")
    probes = TemplateList(
        ("Adam Brody/Adam Brody_1.png", "Adam Brody/Adam Brody_2.png", "Al/Al_Pacino_7.png"), ("A", "A", "B")
    )
    clean, removed = without_noise(probes, read_noise_list(tmp_path / "facescrub_noises.txt"))
    assert clean.paths == ("Adam Brody/Adam Brody_1.png",)
    assert clean.ids == ("A",)
    assert removed == ("Adam Brody/Adam Brody_2.png", "Al/Al_Pacino_7.png")
    distractors = TemplateList(("0/10@N00/1.jpg_0.jpg", "0/11@N00/1.jpg_0.jpg", "1/2@N00/3.jpg_1.jpg"))
    clean, removed = without_noise(distractors, read_noise_list(tmp_path / "megaface_noises.txt"))
    assert clean.paths == ("0/11@N00/1.jpg_0.jpg",)
    assert clean.ids == ()
    assert len(removed) == 2
