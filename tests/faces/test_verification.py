import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from PIL import Image

from saree_cosface.cli import main
from saree_cosface.faces import experiments
from saree_cosface.faces.datasets import FaceDataError
from saree_cosface.faces.embeddings import NamedEmbeddings
from saree_cosface.faces.encoder import embed_faces, embed_folder, load_encoder
from saree_cosface.faces.experiments import cell_name, run_experiment
from saree_cosface.faces.identification import identify, person_of
from saree_cosface.faces.images import NotAligned
from saree_cosface.faces.pair_lists import read_lfw_pairs
from saree_cosface.faces.pairs import MissingImages
from saree_cosface.faces.settings import LMCL, Setting, losses, margins, normalization, scales
from saree_cosface.faces.training import train_faces
from saree_cosface.faces.verification import verify, verify_images
from saree_cosface.options import FaceOptions, HeadOptions
from tests.helpers.faces import QUICK, face, pairs_file, people

NEEDS_FACES = pytest.mark.skipif("SAREE_COSFACE_DATA" not in os.environ, reason="SAREE_COSFACE_DATA is not set")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Twelve people, three photos each; the run is trained on four others."""
    folder = tmp_path_factory.mktemp("faces")
    people(folder / "train", 4, 6)
    people(folder / "test", 12, 3)
    pairs_file(folder / "pairs.txt", 12, 3)
    return folder


@pytest.fixture(scope="module")
def data(corpus):
    return FaceOptions(
        images=str(corpus / "train"),
        lfw_images=str(corpus / "test"),
        lfw_pairs=str(corpus / "pairs.txt"),
        cache=corpus / "cache",
    )


@pytest.fixture(scope="module")
def run(data, corpus):
    train_faces(data, QUICK, corpus / "run", progress=False)
    return corpus / "run"


def call(*arguments):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code


# --- verification ----------------------------------------------------------------------------------------------------


@NEEDS_FACES
def test_published_encoder_gets_its_published_accuracy_on_lfw(capsys):
    folder = Path(os.environ["SAREE_COSFACE_DATA"], "faces")
    arguments = ("--embeddings", folder / "lfw_sface_embeddings.npz", "--pairs", folder / "lfw_pairs.txt", "--json")
    assert call("faces", "lfw", *arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert round(100 * found["accuracy"], 2) == 99.42
    assert round(100 * found["standard_error"], 2) == 0.11
    assert len(found["folds"]) == 10
    assert found["tar_at_far"]["0.001"]["tar"] > 0.98
    assert "refused" in found["tar_at_far"]["0.0001"]


def test_a_run_is_scored_on_pairs_of_photos(run, corpus, capsys):
    arguments = ("--run", run, "--images", corpus / "test", "--cache", corpus / "cache", "--json")
    assert call("faces", "lfw", *arguments, "--pairs", corpus / "pairs.txt") == 0
    lfw = json.loads(capsys.readouterr().out)
    assert lfw["pairs"] == 12
    assert len(lfw["folds"]) == 2
    assert lfw["accuracy"] > 0.8  # the patterns are easily told apart
    rows = [
        f"{first} {second} {int(same)} {fold}"
        for first, second, same, fold in _rows(read_lfw_pairs(corpus / "pairs.txt"))
    ]
    (corpus / "list.txt").write_text("\n".join(rows))
    assert call("faces", "pairs", *arguments, "--pairs", corpus / "list.txt") == 0
    assert lfw.pop("remarks") == ["2 folds of 3 pairs of each kind, not the 10 of 300 of View 2"]
    plain = json.loads(capsys.readouterr().out)
    assert plain.pop("remarks") == []
    assert plain == lfw


def _rows(pairs):
    return zip(pairs.first, pairs.second, pairs.same, pairs.folds, strict=True)


def test_a_face_and_its_mirror_image_are_embedded_side_by_side(run):
    embedder = load_encoder(run)
    pixels = np.stack([face(1, 1), face(2, 1)])
    both = embed_faces(embedder, pixels, description=None)
    assert both.shape == (2, 32)
    assert both.dtype == np.float32
    mirrored = embed_faces(embedder, pixels[:, :, ::-1].copy(), description=None)
    np.testing.assert_allclose(both[:, 16:], mirrored[:, :16], atol=1e-5)
    with torch.inference_mode():
        crops = torch.from_numpy(pixels[:, :, 8:104].copy()).permute(0, 3, 1, 2)
        np.testing.assert_allclose(both[:, :16], embedder.raw(embedder.features(crops)).numpy(), atol=1e-5)
    in_blocks = embed_faces(embedder, pixels, block=1, description=None)
    np.testing.assert_allclose(both, in_blocks, atol=1e-5)


def test_absent_and_unreadable_photos_are_refused_or_told(run, corpus, tmp_path, capsys):
    images = shutil.copytree(corpus / "test", tmp_path / "test")
    (images / "Person_0" / "Person_0_0001.jpg").unlink()
    (images / "Person_1" / "Person_1_0001.jpg").write_bytes(b"")
    pairs = read_lfw_pairs(corpus / "pairs.txt")
    embedder = load_encoder(run)
    with pytest.raises(MissingImages, match="Person_0_0001"):
        verify_images(embedder, images, pairs)
    found = verify_images(embedder, images, pairs, allow_missing=True)
    assert found.missing == ("Person_0/Person_0_0001.jpg", "Person_1/Person_1_0001.jpg")
    assert found.pairs < 12
    arguments = ("--run", run, "--images", images, "--pairs", corpus / "pairs.txt")
    assert call("faces", "lfw", *arguments) == 1
    assert "--allow-missing" in capsys.readouterr().err
    assert call("faces", "lfw", *arguments, "--allow-missing") == 0
    assert "not the published" in capsys.readouterr().err.replace("\n", " ")
    assert call("faces", "lfw", *arguments[:3], tmp_path / "nowhere", *arguments[4:]) == 1
    assert "vis-www.cs.umass.edu/lfw" in capsys.readouterr().err.replace("\n", "")


def test_one_photo_that_is_not_aligned_is_named_so(run, corpus, tmp_path, capsys):
    images = shutil.copytree(corpus / "test", tmp_path / "test")
    Image.fromarray(face(1, 1, 250)).save(images / "Person_1" / "Person_1_0001.jpg")
    pairs = read_lfw_pairs(corpus / "pairs.txt")
    with pytest.raises(MissingImages, match=r"Person_1_0001.jpg \(.*250 × 250.*align") as error:
        verify_images(load_encoder(run), images, pairs)
    assert "absent" not in str(error.value)
    found = verify_images(load_encoder(run), images, pairs, allow_missing=True)
    assert found.missing == ("Person_1/Person_1_0001.jpg",)
    assert "Person_1_0001.jpg" in capsys.readouterr().err


def test_photos_of_another_suffix_are_found(run, corpus, tmp_path, capsys):
    for path in (corpus / "test").rglob("*.jpg"):
        target = tmp_path / path.relative_to(corpus / "test").with_suffix(".png")
        target.parent.mkdir(exist_ok=True)
        Image.open(path).save(target)
    scores = []
    for images in (corpus / "test", tmp_path):
        assert call("faces", "lfw", "--run", run, "--images", images, "--pairs", corpus / "pairs.txt", "--json") == 0
        scores.append(json.loads(capsys.readouterr().out)["accuracy"])
    assert scores[0] == scores[1]


@pytest.mark.parametrize("with_folds", [False, True])
def test_any_list_is_scored_whatever_the_number_of_its_pairs(with_folds, tmp_path, capsys):
    rng = np.random.default_rng(0)
    own = rng.normal(size=(25, 8))
    vectors = np.concatenate([own, own + 0.1 * rng.normal(size=own.shape)]).astype(np.float32)
    np.savez(tmp_path / "v.npz", names=[f"{row}.jpg" for row in range(50)], embeddings=vectors)
    rows = [(row, row + 25, 1, row % 2) for row in range(25)] + [(row, (row + 1) % 25, 0, row % 2) for row in range(25)]
    lines = [f"{a}.jpg {b}.jpg {same}" + f" {fold}" * with_folds for a, b, same, fold in rows]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    arguments = ("faces", "pairs", "--embeddings", tmp_path / "v.npz", "--pairs", tmp_path / "list.txt", "--json")
    if with_folds:  # the list's own folds are its own fault
        assert call(*arguments) == 1
        said = " ".join(capsys.readouterr().err.split())
        assert "list.txt" in said
        assert "12 to 13" in said
        arguments += ("--unequal-folds",)
    assert call(*arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["accuracy"] > 0.9
    assert "the folds are unequal" in found["remarks"][0]


def test_photos_that_are_not_aligned_are_named_so(run, corpus, tmp_path):
    for name in read_lfw_pairs(corpus / "pairs.txt").names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(face(0, 0, 250)).save(tmp_path / name)
    with pytest.raises(NotAligned, match="faces align"):
        verify_images(load_encoder(run), tmp_path, read_lfw_pairs(corpus / "pairs.txt"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give either --embeddings"),
        (("--embeddings", "x.npz", "--run", "r"), "give either --embeddings"),
        (("--run", "r"), "--run needs --images"),
    ],
)
def test_one_encoder_is_asked_for(arguments, said, corpus, capsys):
    assert call("faces", "lfw", *arguments, "--pairs", corpus / "pairs.txt") == 1
    assert said in " ".join(capsys.readouterr().err.split())


def test_a_rate_that_cannot_be_told_says_why(corpus):
    pairs = read_lfw_pairs(corpus / "pairs.txt")
    found = verify(np.where(pairs.same, 0.9, 0.1), pairs)
    assert found.accuracy == found.auc == 1
    assert all("refused" in rate for rate in found.tar_at_far.values())  # six impostors show nothing
    json.dumps(found.to_json(), allow_nan=False)


# --- identification --------------------------------------------------------------------------------------------------


def test_people_are_sought_among_those_with_one_photo():
    rng = np.random.default_rng(0)
    names, vectors = [], []
    for person in range(40):
        own = rng.normal(size=16)
        for photo in range(1 if person < 25 else 3):
            names.append(f"P_{person}/P_{person}_{photo:04d}.jpg")
            vectors.append(own + 0.05 * rng.normal(size=16))
    embeddings = NamedEmbeddings(tuple(names), np.array(vectors, np.float32))
    found = identify(embeddings)
    assert (found.people, found.probes, found.distractors) == (15, 30, 25)
    assert set(found.rates) == {"10", "25"}
    assert found.rates["25"]["1"] == 1.0
    assert "refused" in found.dir_at_far["0.1"]  # 25 strangers: 30 are needed for one in ten
    noise = NamedEmbeddings(tuple(names), rng.normal(size=(len(names), 16)).astype(np.float32))
    assert identify(noise).rates["25"]["1"] < 0.5
    assert identify(noise).rates["10"]["1"] >= identify(noise).rates["25"]["1"]
    with pytest.raises(FaceDataError, match="both are needed"):
        identify(NamedEmbeddings(("a/a_1.jpg", "b/b_1.jpg"), np.eye(2, dtype=np.float32)))


def test_strangers_are_turned_away_at_the_rate_asked_for():
    rng = np.random.default_rng(1)
    names, vectors = [], []
    for person in range(400):
        own = rng.normal(size=8)
        for photo in range(1 if person < 350 else 2):
            names.append(f"P{person}_{photo}")
            vectors.append(own + 0.2 * rng.normal(size=8))
    vectors = np.array(vectors, np.float32)
    found = identify(NamedEmbeddings(tuple(names), vectors)).dir_at_far["0.1"]
    unit = vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    several = unit[350:].reshape(50, 2, 8)
    highest = (unit[:350] @ several[:, 0].T).max(axis=1)
    assert np.mean(highest >= found["threshold"]) <= 0.1
    cosines = several[:, 1] @ several[:, 0].T
    right = (cosines.argmax(axis=1) == np.arange(50)) & (cosines.max(axis=1) >= found["threshold"])
    assert found["rate"] == pytest.approx(right.mean())


def test_a_name_tells_the_person():
    assert person_of("lfw/A_B/A_B_0001.jpg") == "A_B"
    assert person_of("A_B_0001") == "A_B"
    assert person_of("alone.jpg") == "alone"


@pytest.mark.slow
def test_identification_from_the_command_line(run, corpus, tmp_path, capsys):
    # Nobody has one photo alone.
    assert call("faces", "megaface", "--run", run, "--images", corpus / "test") == 1
    assert "both are needed" in capsys.readouterr().err.replace("\n", " ")
    images = shutil.copytree(corpus / "test", tmp_path / "test")
    for person in range(6, 12):
        for photo in (2, 3):
            (images / f"Person_{person}" / f"Person_{person}_{photo:04d}.jpg").unlink()
    arguments = ("faces", "megaface", "--run", run, "--images", images, "--json")
    assert call(*arguments, "--out", tmp_path / "out") == 0
    found = json.loads(capsys.readouterr().out)
    encoder = json.loads((tmp_path / "out" / "megaface.json").read_text())["encoder"]
    assert encoder == "laptop10, D = 16, cosface, 24 photos of 4 people, 2 epochs"
    assert (found["people"], found["probes"], found["distractors"]) == (6, 12, 6)
    vectors = embed_folder(load_encoder(run), images)
    np.savez(tmp_path / "v.npz", names=[f"lfw/{Path(n).name}" for n in vectors.names], embeddings=vectors.embeddings)
    assert call("faces", "megaface", "--embeddings", tmp_path / "v.npz", "--json") == 0
    assert json.loads(capsys.readouterr().out)["rates"] == found["rates"]  # one folder for all is nobody's name
    (images / "Person_0" / "Person_0_0001.jpg").write_bytes(b"<html>")
    assert call(*arguments) == 1
    assert "Person_0_0001.jpg" in capsys.readouterr().err.replace("\n", "")
    assert call(*arguments, "--allow-missing") == 0
    assert json.loads(capsys.readouterr().out)["probes"] == 11


# --- experiments -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_experiment_trains_each_cell_once(data, corpus, tmp_path, monkeypatch, capsys):
    recipe = replace(QUICK, optim=replace(QUICK.optim, epochs=1))
    softmax = Setting("softmax", HeadOptions("softmax"), (97.88, 93.1, 54.85, 65.92))
    settings = (softmax, Setting("LMCL", recipe.head, (99.33, 96.1, 77.11, 89.88), together=2))
    first = run_experiment("losses", settings, data, recipe, tmp_path, seeds=2)
    assert [len(row["seeds"]) for row in first.document["rows"]] == [2, 2]
    assert len(list((tmp_path / "runs").glob("[!.]*"))) == 4
    monkeypatch.setattr(experiments, "train_faces", lambda *_, **__: 1 / 0)
    again = run_experiment("losses", settings, data, recipe, tmp_path, seeds=2)
    assert again.document == first.document == json.loads((tmp_path / "losses.json").read_text())
    row = first.document["rows"][1]
    accuracies = [found["accuracy"] for found in row["seeds"]]
    assert row["accuracy"] == pytest.approx(np.mean(accuracies))
    assert row["seed_deviation"] == pytest.approx(np.std(accuracies, ddof=1))
    assert "| LMCL | " in (tmp_path / "losses.md").read_text()
    assert "99.33" in (tmp_path / "losses.csv").read_text()
    other = shutil.copytree(corpus / "test", tmp_path / "test")
    Image.fromarray(face(1, 1)).save(other / "Person_1" / "Person_1_0001.jpg", quality=50)
    with pytest.raises(ZeroDivisionError):  # another LFW is scored anew
        run_experiment("losses", settings, replace(data, lfw_images=str(other)), recipe, tmp_path, seeds=1)
    with pytest.raises(ZeroDivisionError):  # another setting is another cell
        run_experiment("losses", settings, replace(data, shift=1), recipe, tmp_path, seeds=1)
    with pytest.raises(ValueError, match="0 seeds"):
        run_experiment("losses", settings, data, recipe, tmp_path, seeds=0)


@pytest.mark.slow
def test_commands_share_the_cells_of_an_experiment(data, tmp_path, monkeypatch):
    recipe = replace(QUICK, optim=replace(QUICK.optim, epochs=1))
    settings = (Setting("softmax", HeadOptions("softmax")), Setting("LMCL", recipe.head))
    name = cell_name(data, replace(recipe, head=settings[0].head))
    (tmp_path / "runs").mkdir()
    busy = FileLock(tmp_path / "runs" / f".{name}.lock", is_singleton=False)
    trained = []
    train = experiments.train_faces

    def record(data, recipe, folder, **options):
        trained.append(recipe.head.name)
        embedder = train(data, recipe, folder, **options)
        busy.release()  # the other command died
        return embedder

    monkeypatch.setattr(experiments, "train_faces", record)
    with busy:
        found = run_experiment("losses", settings, data, recipe, tmp_path, seeds=1)
    assert trained == ["cosface", "softmax"]  # what another command is busy with comes last
    assert [len(row["seeds"]) for row in found.document["rows"]] == [1, 1]


def test_a_cell_is_known_by_what_decides_its_weights(data):
    name = cell_name(data, QUICK)
    assert cell_name(replace(data, cache=Path("elsewhere"), workers=2, lfw_pairs="x"), QUICK) == name
    for other in (replace(QUICK, seed=1), replace(QUICK, head=replace(QUICK.head, balance=0.5))):
        assert cell_name(data, other) != name
    assert cell_name(replace(data, together=4), QUICK) != name


def test_settings_of_the_paper():
    head = HeadOptions(scale=30.0, margin=0.35)
    nine = losses(head)
    assert len(nine) == len({each.name for each in nine}) == 9
    assert {each.head.scale for each in nine} == {30.0}
    sweep = margins(head)
    assert [each.head.margin for each in sweep] == [0.0, 0.1, 0.2, 0.3, 0.35, 0.45, 0.7, 1.0]
    assert {each.head.scale for each in sweep} == {30.0}
    assert {each.head.margin for each in scales(head)} == {0.0, 0.35}
    assert {each.head.scale for each in scales(head)} == {15.0, 30.0, 60.0, 120.0}
    nsl = next(each.head for each in nine if each.name == "NSL")
    assert nsl == sweep[0].head
    assert nsl in [each.head for each in scales(head)]
    assert [each.head.name for each in normalization(head)] == ["cosface_unnormalized", "cosface"]
    lmcl = next(each for each in nine if each.name == LMCL)
    assert lmcl.head == next(each.head for each in sweep if each.head.margin == 0.35) == normalization(head)[1].head


@pytest.mark.slow
def test_rows_of_the_table_can_be_trained_alone(data, corpus, tmp_path, capsys):
    (tmp_path / "recipe.yaml").write_text(
        "model: {backbone: laptop10, embedding_dim: 16, trainable_stages: 4, precision: fp32}\n"
        "optim: {epochs: 1, batch_size: 8}\n"
    )
    faces_at = ("--data.images", data.images, "--data.lfw_images", data.lfw_images, "--data.lfw_pairs", data.lfw_pairs)
    arguments = ("faces", "losses", "--config", tmp_path / "recipe.yaml", *faces_at, "--data.cache", tmp_path / "cache")
    arguments += ("--out", tmp_path / "out", "--seeds", 1, "--json", "--only")
    assert call(*arguments, "lmcl", "softmax") == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["name"] for row in rows] == ["softmax", "LMCL"]
    assert call(*arguments, "CosFace") == 1
    said = capsys.readouterr().err.replace("\n", " ")
    assert "CosFace" in said
    assert "A-Softmax-NormFea" in said
