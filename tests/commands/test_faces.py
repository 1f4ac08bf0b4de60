"""The remaining sub-commands of ``saree-cosface faces``, each from the command line on drawn faces."""

import io
import json
import pickle
import shutil

import numpy as np
import pytest
from PIL import Image

from saree_cosface.cli import main
from saree_cosface.faces.training import train_faces
from saree_cosface.options import FaceOptions
from tests.helpers.faces import QUICK, face, people


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    data = FaceOptions(images=str(people(folder / "train", 4, 6)), cache=folder / "cache")
    train_faces(data, QUICK, folder / "run", progress=False)
    return folder / "run"


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


@pytest.mark.slow
def test_videos_are_compared_by_the_means_of_their_frames(run, tmp_path, capsys):
    rows = ["split number, pair number, first name, second name, is same"]
    for person in range(8):
        for video in (1, 2):
            (tmp_path / "frames" / f"P{person}" / str(video)).mkdir(parents=True)
            for frame in range(2):
                path = tmp_path / "frames" / f"P{person}" / str(video) / f"{frame}.jpg"
                Image.fromarray(face(person, 10 * video + frame)).save(path)
    for fold in (1, 2):
        for person in range(4 * (fold - 1), 4 * fold):
            other = 4 * (fold - 1) + (person + 1) % 4
            rows.append(f"{fold}, {len(rows)}, P{person}/1, P{person}/2, 1")
            rows.append(f"{fold}, {len(rows)}, P{person}/1, P{other}/2, 0")
    (tmp_path / "splits.txt").write_text("\n".join(rows))
    arguments = ("--run", run, "--splits", tmp_path / "splits.txt", "--cache", tmp_path / "cache", "--json")
    assert call("faces", "ytf", *arguments, "--images", tmp_path / "frames") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["pairs"], len(found["folds"])) == (16, 2)
    assert found["accuracy"] > 0.8
    for frame in (tmp_path / "frames" / "P3" / "1").iterdir():
        frame.write_bytes(b"no picture")
    assert call("faces", "ytf", *arguments, "--images", tmp_path / "frames") == 1
    assert "no frame of this video can be read" in " ".join(capsys.readouterr().err.split())
    shutil.rmtree(tmp_path / "frames" / "P3")
    assert call("faces", "ytf", *arguments, "--images", tmp_path / "frames") == 1
    assert "2 of the 16 images" in " ".join(capsys.readouterr().err.split())


def _jpeg(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95)
    return stream.getvalue()


@pytest.mark.slow
def test_a_packed_list_brings_its_own_images(run, tmp_path, capsys):
    images, same = [], []
    for pair in range(40):
        images += [_jpeg(face(pair, 1)), _jpeg(face(pair if pair % 2 else pair + 1, 2))]
        same.append(bool(pair % 2))
    (tmp_path / "set.bin").write_bytes(pickle.dumps((images, same)))
    arguments = ("--pairs", tmp_path / "set.bin", "--cache", tmp_path / "cache", "--json")
    assert call("faces", "pairs", "--run", run, *arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pairs"] == 40
    assert found["accuracy"] > 0.8
    assert call("faces", "pairs", *arguments) == 1
    assert "--run" in capsys.readouterr().err


@pytest.mark.slow
def test_an_image_of_a_packed_list_that_cannot_be_used_is_named(run, tmp_path, capsys):
    images = [_jpeg(face(pair, photo)) for pair in range(40) for photo in (1, 2)]
    images[5] = images[5][:60]
    same = [True] * 20 + [False] * 20  # no tenth holds both kinds
    path = tmp_path / "sorted.bin"
    path.write_bytes(pickle.dumps((images, same)))
    arguments = ("faces", "pairs", "--run", run, "--pairs", path, "--cache", tmp_path / "cache", "--json")
    assert call(*arguments) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert str(path) in said.replace(" ", "")
    assert "1 of the 80 images that the pairs name cannot be used" in said
    assert "5 (" in said
    assert call(*arguments, "--allow-missing") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["pairs"], found["missing"]) == (39, ["5"])
    assert "dealt to the folds" in found["remarks"][0]
    path.write_bytes(pickle.dumps(([_jpeg(face(0, 0, 250))] * 80, same)))
    assert call(*arguments) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "image 0" in said
    assert "faces align" in said


@pytest.mark.slow
def test_videos_that_are_absent_are_counted(run, tmp_path, capsys):
    rows = []
    for fold in (1, 2):
        for number in range(2):
            rows += [
                f"{fold}, {number}, P{number}/0, P{number}/1, 1",
                f"{fold}, {number}, P{number}/0, P{2 + fold}/0, 0",
            ]
    (tmp_path / "splits.txt").write_text("\n".join(rows))
    for person in range(5):
        for video in range(2):
            (tmp_path / "frames" / f"P{person}" / str(video)).mkdir(parents=True)
            for frame in range(2):
                Image.fromarray(face(person, 10 * video + frame)).save(
                    tmp_path / "frames" / f"P{person}" / str(video) / f"{frame}.png"
                )
    arguments = ("faces", "ytf", "--run", run, "--images", tmp_path / "frames", "--splits", tmp_path / "splits.txt")
    arguments += ("--cache", tmp_path / "cache", "--json")
    assert call(*arguments) == 0
    assert json.loads(capsys.readouterr().out)["missing"] == []
    (tmp_path / "frames" / "P1" / "1").rename(tmp_path / "gone")
    assert call(*arguments) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "P1/1" in said
    assert "--allow-missing" in said
    assert call(*arguments, "--allow-missing") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["pairs"], found["missing"]) == (6, ["P1/1"])
    assert call(*arguments[:5], tmp_path / "nowhere", *arguments[6:]) == 1
    assert "cs.tau.ac.il" in capsys.readouterr().err.replace("\n", "")


def test_faces_are_aligned_by_listed_landmarks(tmp_path, capsys):
    pixels = np.zeros((200, 180, 3), np.uint8)
    points = np.array([[60, 80], [110, 80], [85, 110], [65, 140], [105, 140]])
    for x, y in points:
        pixels[y - 3 : y + 4, x - 3 : x + 4] = 255
    (tmp_path / "photos" / "A").mkdir(parents=True)
    Image.fromarray(pixels).save(tmp_path / "photos" / "A" / "a.png")
    Image.fromarray(pixels).save(tmp_path / "photos" / "A" / "unlisted.png")
    header = "path,x1,y1,x2,y2,x3,y3,x4,y4,x5,y5"
    (tmp_path / "points.csv").write_text(f"{header}\nA/a.png," + ",".join(map(str, points.ravel())) + "\n")
    arguments = (tmp_path / "photos", "--out", tmp_path / "aligned", "--landmarks", tmp_path / "points.csv", "--json")
    assert call("faces", "align", *arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["aligned"] == 1
    aligned = np.asarray(Image.open(tmp_path / "aligned" / "A" / "a.png"))
    assert aligned.shape == (112, 112, 3)
    for x, y in ((38.3, 51.7), (73.5, 51.5), (56.0, 71.7), (41.5, 92.4), (70.7, 92.2)):  # the template, 8 to the right
        assert aligned[round(y) - 4 : round(y) + 5, round(x) - 4 : round(x) + 5].max() > 150
    assert "unlisted.png" in (tmp_path / "aligned" / "skipped.csv").read_text()
    (tmp_path / "others.csv").write_text(f"{header}\nB/b.png," + ",".join(map(str, points.ravel())) + "\n")
    none = (tmp_path / "photos", "--out", tmp_path / "none", "--landmarks", tmp_path / "others.csv")
    assert call("faces", "align", *none) == 1
    assert "not one photo could be aligned" in " ".join(capsys.readouterr().err.split())
    assert call("faces", "align", tmp_path / "photos", "--out", tmp_path / "b", "--model", tmp_path / "no.onnx") == 1
    assert "face_detection_yunet" in capsys.readouterr().err


@pytest.fixture
def devkit(tmp_path):
    """Five probes of two people, and a hundred strangers, of whom two are the same photo as a probe."""
    lists = tmp_path / "devkit" / "templatelists"
    lists.mkdir(parents=True)
    probes, ids = [], []
    for person, photos in ((0, 3), (1, 2)):
        for photo in range(photos):
            probes.append(f"Actor {person}/Actor {person}_{photo}.png")
            ids.append(f"Actor {person}")
            path = tmp_path / "probes" / probes[-1]
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(face(person, photo)).save(path)
    (lists / "facescrub_features_list.json").write_text(json.dumps({"path": probes, "id": ids}))
    strangers = []
    for number in range(100):
        strangers.append(f"{number // 10}/{number}.jpg")
        path = tmp_path / "distractors" / strangers[-1]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(face(0, 0) if number in (5, 50) else face(100 + number, 0)).save(path, quality=95)
    (lists / "megaface_features_list.json_100_1").write_text(json.dumps({"path": strangers}))
    (tmp_path / "noises.txt").write_text("0/5.jpg\n5/50.jpg\n")
    return tmp_path


@pytest.mark.slow
def test_challenge_1_of_megaface(run, devkit, capsys, monkeypatch):
    arguments = ["faces", "megaface", "--run", run, "--devkit", devkit / "devkit", "--probes", devkit / "probes"]
    arguments += ["--distractors", devkit / "distractors", "--count", 100, "--cache", devkit / "cache", "--json"]
    assert call(*arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["probes"], found["mates"], found["distractors"], found["noise"]) == (5, 8, 100, {})
    # A stranger who is the probe itself stands before both mates of that probe, whatever the network.
    assert found["rates"]["100"]["1"] <= 6 / 8
    assert all("refused" in rate for rate in found["tar_at_far"].values())
    monkeypatch.setattr("saree_cosface.faces.challenge.load_faces", lambda *_, **__: 1 / 0)  # all is kept
    assert call(*arguments) == 0
    assert json.loads(capsys.readouterr().out) == found
    monkeypatch.undo()
    assert call(*arguments, "--noises", devkit / "noises.txt") == 0
    clean = json.loads(capsys.readouterr().out)
    assert (clean["distractors"], clean["noise"]) == (98, {"noises.txt": 2})
    assert clean["rates"]["98"]["1"] > found["rates"]["100"]["1"]
    (devkit / "other.txt").write_text("none/of/these.jpg\n")
    assert call(*arguments, "--noises", devkit / "other.txt") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["noise"] == {"other.txt": 0}
    assert "is it the right one" in captured.err


@pytest.mark.slow
def test_challenge_photos_that_are_absent(run, devkit, capsys):
    (devkit / "distractors" / "3" / "33.jpg").unlink()
    (devkit / "distractors" / "4" / "44.jpg").write_bytes(b"<html>")
    arguments = ["faces", "megaface", "--run", run, "--devkit", devkit / "devkit", "--probes", devkit / "probes"]
    arguments += ["--distractors", devkit / "distractors", "--count", 100, "--cache", devkit / "cache", "--json"]
    assert call(*arguments) == 1
    assert "1 of the 100 distractors are absent" in " ".join(capsys.readouterr().err.split())
    assert call(*arguments, "--allow-missing") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["missing"] == ["3/33.jpg", "4/44.jpg"]
    assert found["distractors"] == 98
    Image.fromarray(face(144, 0)).save(devkit / "distractors" / "4" / "44.jpg")  # mended: embedded after all
    assert call(*arguments, "--allow-missing") == 0
    assert json.loads(capsys.readouterr().out)["missing"] == ["3/33.jpg"]
    elsewhere = ["--distractors", devkit / "devkit", "--allow-missing"]
    assert call(*arguments, *elsewhere) == 1
    assert "is it the right folder" in " ".join(capsys.readouterr().err.split())
    assert call(*arguments, "--probes", devkit / "nowhere") == 1
    assert "FaceScrub" in capsys.readouterr().err
    assert call(*arguments, "--count", 10) == 1
    assert "megaface_features_list.json_10_1" in capsys.readouterr().err.replace("\n", "")
