import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from saree_cosface.answers.enrolment import enrol
from saree_cosface.answers.prediction import predict
from saree_cosface.data.manifest import manifest_of
from saree_cosface.data.manifest_file import read_manifest
from saree_cosface.features.embedding import embeddings_with_gaps
from saree_cosface.features.prototypes import prototype
from saree_cosface.files import sha256_of
from saree_cosface.runs.gallery import COLUMNS, Gallery
from saree_cosface.runs.run import load_run
from saree_cosface.scoring.evaluation import Evaluation, evaluate
from saree_cosface.scoring.held_out import score
from saree_cosface.scoring.probes import EvaluationError, Probes, unseen_probes
from saree_cosface.scoring.shortcut import pooled_cosines
from tests.helpers import altered
from tests.helpers.bad_photos import save, textured, zero_byte
from tests.helpers.tiny import CRAFTS, SOME


def names(manifest):
    return set(manifest.table["path"])


@pytest.fixture(scope="module")
def manifest(tiny_corpus):
    return read_manifest(tiny_corpus, where=SOME)


@pytest.fixture(scope="module")
def evaluated(tiny_run, tiny_corpus, tiny_cache, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluation")
    return evaluate(tiny_run, tiny_corpus, where=SOME, out=out, cache=tiny_cache), out


# --- who is scored ---------------------------------------------------------------------------------------------------


def test_the_test_fold_is_scored_and_nothing_else(tiny_run, tiny_cache, manifest):
    probes = unseen_probes(tiny_run, manifest, cache=tiny_cache)
    held_out = pd.read_csv(tiny_run.folder / "manifest.csv").query("split == 'test'")
    assert sorted(probes.manifest.table["sha256"]) == sorted(held_out["sha256"])
    assert not set(probes.manifest.sources) & (tiny_run.sources["train"] | tiny_run.sources["validation"])
    assert not probes.validation_only
    assert sum(probes.skipped.values()) == len(manifest) - len(probes.manifest)
    assert len(probes.embeddings) == len(probes.manifest)


def test_other_crafts_are_left_out_and_counted(tiny_run, tiny_corpus, tiny_cache):
    probes = unseen_probes(tiny_run, read_manifest(tiny_corpus), cache=tiny_cache)
    assert set(probes.manifest.crafts) <= set(CRAFTS)
    assert probes.skipped["craft not among those trained on"] > 10
    assert sum(probes.skipped.values()) + len(probes.manifest) == 12 * 8


@pytest.mark.slow
def test_new_photos_of_sources_seen_in_training_are_excluded(tiny_run, tiny_cache, tmp_path):
    """Under protocol source. A photo that was never seen may still share its shop with some that were."""
    sources = [*sorted(tiny_run.sources["train"])[:1], *sorted(tiny_run.sources["validation"])[:1], "a new shop", ""]
    for row in range(8):
        save(tmp_path / f"{row}.png", textured(64, 64, row))
    table = pd.DataFrame(
        {"path": [f"{row}.png" for row in range(8)], "craft": "chanderi", "source": np.repeat(sources, 2)}
    )
    table.to_csv(tmp_path / "m.csv", index=False)
    fresh = read_manifest(tmp_path / "m.csv")
    probes = unseen_probes(tiny_run, fresh, cache=tiny_cache)
    assert probes.manifest.sources.tolist() == ["a new shop"] * 2
    assert probes.skipped == {
        "source seen in training": 2,
        "photo or its source chose the epoch (validation)": 2,
        "source unknown, so it cannot be held out": 2,
    }
    assert len(unseen_probes(tiny_run, fresh, needs_source=False, cache=tiny_cache).manifest) == 8


def test_a_trained_photo_under_another_name_and_source_is_recognised(tiny_run, tiny_cache, tmp_path):
    shutil.copy(tiny_run.gallery.references["path"][0], tmp_path / "copy.jpg")
    save(tmp_path / "new.png", textured(64, 64))
    (tmp_path / "m.csv").write_text("path,craft,source\ncopy.jpg,chanderi,other\nnew.png,chanderi,other\n")
    probes = unseen_probes(tiny_run, read_manifest(tmp_path / "m.csv"), cache=tiny_cache)
    assert names(probes.manifest) == {"new.png"}
    assert probes.skipped == {"photo seen in training": 1}


def test_a_crop_of_a_photo_seen_in_training_is_excluded_though_its_source_is_new(tiny_run, tiny_cache, tmp_path):
    whole = altered.photo(altered.woven("chanderi", 1))
    reference = save(tmp_path / "whole.png", whole)
    save(tmp_path / "crop.jpg", altered.mirrored(altered.part(whole, 0.1, 0.6)))
    save(tmp_path / "other.jpg", altered.photo(altered.woven("chanderi", 2)))
    first = tiny_run.gallery.references.query("craft == 'chanderi'").iloc[:1]
    gallery = Gallery(tiny_run.gallery.embeddings[:1], first.assign(path=str(reference), sha256=sha256_of(reference)))
    (tmp_path / "m.csv").write_text("path,craft,source\ncrop.jpg,chanderi,new\nother.jpg,chanderi,new\n")
    manifest = read_manifest(tmp_path / "m.csv")
    probes = unseen_probes(replace(tiny_run, gallery=gallery), manifest, cache=tiny_cache)
    assert names(probes.manifest) == {"other.jpg"}
    assert probes.skipped == {"copy or crop of a photo among the references": 1}


@pytest.mark.slow
def test_copies_of_references_are_excluded_and_references_that_are_gone_are_told(tiny_run, tiny_cache, tmp_path):
    """A copy through a filter, whose points agree no more, is known by its hash."""
    photo = altered.photo(altered.woven("chanderi", 1))
    reference = save(tmp_path / "whole.png", photo)
    grey = np.asarray(Image.fromarray(photo).convert("L").convert("RGB"))
    save(tmp_path / "copy.jpg", (0.7 * photo + 0.3 * grey).astype(np.uint8), quality=30)
    save(tmp_path / "other.jpg", altered.photo(altered.woven("chanderi", 2)))
    first = tiny_run.gallery.references.query("craft == 'chanderi'").iloc[:1]
    gallery = Gallery(tiny_run.gallery.embeddings[:1], first.assign(path=str(reference), sha256=sha256_of(reference)))
    run = replace(tiny_run, gallery=gallery)
    (tmp_path / "m.csv").write_text("path,craft,source\ncopy.jpg,chanderi,new\nother.jpg,chanderi,new\n")
    manifest = read_manifest(tmp_path / "m.csv")
    assert names(unseen_probes(run, manifest, cache=tiny_cache).manifest) == {"other.jpg"}
    reference.unlink()
    probes = unseen_probes(run, manifest, cache=tiny_cache)
    assert names(probes.manifest) == {"copy.jpg", "other.jpg"}
    assert [bad.path for bad in probes.unlooked] == [reference]
    assert any(
        "1 of 1 references cannot be read or have changed" in each for each in score(run, probes, "source")["remarks"]
    )


@pytest.mark.slow
def test_a_source_that_was_enrolled_in_other_letters_is_told(tiny_run, tiny_cache, manifest, tmp_path):
    run = load_run(shutil.copytree(tiny_run.folder, tmp_path / "run"))
    held_out = manifest.select(np.isin(manifest.sources, sorted(run.sources["test"])) & (manifest.crafts == "chanderi"))
    source = str(held_out.sources[0])
    enrol(run.folder, "chanderi", [save(tmp_path / "new.png", textured(64, 64, 40))], source=source.upper())
    run = load_run(run.folder)
    found = score(run, unseen_probes(run, held_out, cache=tiny_cache), "source")
    assert any(f"{source.upper()!r} and {source!r} look alike" in each for each in found["remarks"])


def test_a_piece_seen_in_training_is_excluded_where_its_source_is_not(tiny_run, tiny_cache, tmp_path):
    piece = tiny_run.gallery.references["piece"][0]
    for row in range(3):
        save(tmp_path / f"{row}.png", textured(64, 64, row))
    source = tiny_run.gallery.references["source"][0]
    rows = f"0.png,chanderi,{piece},{source}\n1.png,chanderi,new,{source}\n2.png,chanderi,{piece},another\n"
    (tmp_path / "m.csv").write_text(f"path,craft,piece,source\n{rows}")
    probes = unseen_probes(tiny_run, read_manifest(tmp_path / "m.csv"), needs_source=False, cache=tiny_cache)
    assert names(probes.manifest) == {"1.png", "2.png"}


@pytest.mark.slow
def test_the_piece_and_the_source_of_an_enrolled_photo_are_left_out(tiny_run, tiny_cache, manifest, tmp_path):
    """Also where it was enrolled without saying them: the manifest knows."""
    held_out = pd.read_csv(tiny_run.folder / "manifest.csv").query("split == 'test'")
    run = load_run(shutil.copytree(tiny_run.folder, tmp_path / "run"))
    row = int(np.flatnonzero(manifest.table["sha256"].isin(held_out["sha256"]))[0])
    enrol(run.folder, manifest.crafts[row], [manifest.files()[row]])
    source = manifest.sources[row]
    assert source in unseen_probes(run, manifest, cache=tiny_cache).manifest.sources
    assert source not in unseen_probes(load_run(run.folder), manifest, cache=tiny_cache).manifest.sources
    without = unseen_probes(load_run(run.folder), manifest, needs_source=False, cache=tiny_cache)
    assert manifest.pieces[row] not in without.manifest.pieces
    assert source in without.manifest.sources


@pytest.mark.slow
def test_other_things_that_are_not_there_are_no_pass(calibrated_run, tiny_corpus, tmp_path):
    (tmp_path / "empty").mkdir()
    for others, said in (([tmp_path / "nope"], "nope: no such file"), ([tmp_path / "empty"], "empty: holds no photo")):
        with pytest.raises(EvaluationError, match=said):
            evaluate(calibrated_run, tiny_corpus, open_set=True, others=others, where=SOME, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_validation_photos_are_scored_only_for_want_of_others_and_it_is_said(tiny_run, tiny_cache, manifest):
    rows = np.isin(manifest.sources, list(tiny_run.sources["validation"]))
    probes = unseen_probes(tiny_run, manifest.select(rows), cache=tiny_cache)
    assert probes.validation_only
    assert any("hold a test fold out" in remark for remark in score(tiny_run, probes, "source")["remarks"])


def test_crafts_without_references_cannot_be_scored(tiny_run, tiny_cache, manifest):
    table = tiny_run.gallery.references
    without = tiny_run.gallery.remove(table.loc[table["craft"] == "chanderi", "path"].tolist())
    run = replace(tiny_run, gallery=without)
    probes = unseen_probes(run, manifest, cache=tiny_cache)
    assert set(probes.manifest.crafts) == {"jamdani", "leheriya"}
    assert "craft without a reference in the gallery" in probes.skipped
    document = score(run, probes, "source")
    assert document["confusion"]["classes"] == ["jamdani", "leheriya"]


def test_nothing_left_to_score_is_an_error_with_the_reasons(tiny_run, tiny_corpus, manifest, tiny_cache, tmp_path):
    trained = manifest.select(np.isin(manifest.sources, list(tiny_run.sources["train"])))
    with pytest.raises(EvaluationError, match="no photo is left to score .*photo seen in training.*other sources"):
        unseen_probes(tiny_run, trained)
    zero_byte(tmp_path)
    (tmp_path / "m.csv").write_text("path,craft,source\nzero_byte.jpg,chanderi,other\n")
    with pytest.raises(EvaluationError, match="none of the 1 photos could be read.*empty"):
        evaluate(tiny_run, tmp_path / "m.csv", cache=tiny_cache, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_bad_photos_are_counted(tiny_run, tiny_cache, tmp_path):
    zero_byte(tmp_path)
    save(tmp_path / "new.png", textured(64, 64))
    (tmp_path / "m.csv").write_text("path,craft,source\nzero_byte.jpg,chanderi,other\nnew.png,chanderi,other\n")
    document = evaluate(tiny_run, tmp_path / "m.csv", cache=tiny_cache, out=tmp_path / "out").to_json()
    assert document["skipped"] == {"could not be read": 1}
    assert document["counts"]["photos"] == 1
    assert "low" not in document["metrics"]["top1"]  # one piece has no spread


# --- how -------------------------------------------------------------------------------------------------------------


def test_predict_and_evaluate_answer_alike_photo_by_photo(tiny_run, evaluated):
    photos = evaluated[0].to_json()["photos"]
    assert len(photos) > 3
    for entry in photos:
        answer = predict(tiny_run, [Path(entry["path"])]).attributions[0].traditions[0]
        assert answer.craft == entry["answer"]
        assert answer.cosine == pytest.approx(entry["cosine"], abs=2e-5)


def test_scores_are_those_of_scikit_learn(evaluated):
    document = evaluated[0].to_json()
    labels, answers = ([entry[key] for entry in document["photos"]] for key in ("craft", "answer"))
    metrics = {name: score["value"] for name, score in document["metrics"].items()}
    assert metrics["top1"] == pytest.approx(accuracy_score(labels, answers))
    assert metrics["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, answers))
    assert metrics["macro_f1"] == pytest.approx(f1_score(labels, answers, average="macro"))
    assert np.trace(document["confusion"]["matrix"]) == metrics["top1"] * len(labels)
    assert document["cmc"][0] == pytest.approx(metrics["top1"])
    assert document["cmc"][-1] == 1
    assert document["metrics"]["top1"]["low"] <= metrics["top1"] <= document["metrics"]["top1"]["high"]
    for name in ("per_craft", "per_source"):
        groups = document[name].values()
        assert sum(group["photos"] * group["top1"] for group in groups) == pytest.approx(metrics["top1"] * len(labels))


def test_what_is_written_is_what_is_returned(tiny_run, evaluated, tiny_corpus):
    result, out = evaluated
    assert json.loads((out / "evaluation.json").read_text()) == json.loads(json.dumps(result.to_json()))
    assert (out / "confusion.png").stat().st_size > 5000
    assert result.to_json()["split_hash"] == tiny_run.split_hash
    console = Console(file=io.StringIO(), width=120)
    result.print_table(console)
    for wanted in (
        "balanced_accuracy",
        "shortcut gap",
        "photos left out",
        f"{result.document['counts']['photos']} photos",
    ):
        assert wanted in console.file.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["piece", "random"])
def test_other_protocols_say_that_they_flatter(tiny_run, tiny_corpus, tiny_cache, tmp_path, protocol):
    made = evaluate(tiny_run, tiny_corpus, protocol=protocol, where=SOME, out=tmp_path, cache=tiny_cache)
    document = made.to_json()
    assert document["protocol"] == protocol
    assert any("not the score on a new source" in remark for remark in document["remarks"])
    assert document["shortcut_gap"] is not None


@pytest.mark.slow
def test_the_default_folder_is_in_the_run(tiny_run, tiny_corpus, tiny_cache, tmp_path):
    run = replace(tiny_run, folder=tmp_path)
    evaluate(run, tiny_corpus, where=SOME, cache=tiny_cache)
    assert (tmp_path / "evaluation" / "source" / "evaluation.json").is_file()


# --- the shortcut gap ------------------------------------------------------------------------------------------------


def planted(tiny_run, encode, *, crafts=3, shops=12, photos=12, noise=0.05):
    """A run and probes whose embeddings are ``encode(craft, shop)`` and a little noise; each shop prefers a craft."""
    rng = np.random.default_rng(0)
    rows = []
    for shop in range(shops):
        for craft in range(crafts):
            for photo in range(photos if shop % crafts == craft else 1):
                rows.append((CRAFTS[craft], f"shop {shop}", f"{shop}-{craft}-{photo}", encode(craft, shop)))
    vectors = np.array([row[3] for row in rows], np.float32)
    vectors += noise * rng.normal(size=vectors.shape).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table = pd.DataFrame([row[:3] for row in rows], columns=["craft", "source", "piece"])
    table = table.assign(
        path=table["piece"] + ".jpg", sha256=table["piece"], view="", thumbnail="", split="", shared_piece=""
    )
    held_out = table["source"].isin([f"shop {shop}" for shop in range(6)]).to_numpy()
    gallery = Gallery(vectors[~held_out], table.loc[~held_out, list(COLUMNS)].reset_index(drop=True))
    manifest = manifest_of(table[held_out].reset_index(drop=True), Path("/photos"))
    return replace(tiny_run, gallery=gallery), Probes(
        manifest, vectors[held_out], np.repeat(vectors[held_out][:, None], 4, axis=1), vectors[held_out], {}, (), False
    )


def one_hot(length, *positions):
    vector = np.zeros(length)
    vector[list(positions)] = 1
    return vector


def test_embeddings_of_the_source_alone_have_a_big_gap(tiny_run):
    run, probes = planted(tiny_run, lambda craft, shop: one_hot(12, shop))
    gap = score(run, probes, "source")["shortcut_gap"]
    assert gap["nearest"]["gap"] > 0.3
    assert gap["top1"]["gap"] > 0.03  # little, since sources count alike in a prototype
    assert gap["top1"]["source"] < 0.5
    assert gap["top1"]["gap"] == pytest.approx(gap["top1"]["random"] - gap["top1"]["source"])


def test_embeddings_of_the_craft_alone_have_none(tiny_run):
    run, probes = planted(tiny_run, lambda craft, shop: one_hot(3, craft))
    document = score(run, probes, "source")
    assert document["metrics"]["top1"]["value"] == 1
    for gap in document["shortcut_gap"].values():
        assert gap == {"random": 1.0, "source": 1.0, "gap": 0.0}
    assert document["metrics"]["recall@1"]["value"] == document["metrics"]["map@r"]["value"] == 1


def test_unknown_sources_leave_no_gap_to_tell(tiny_run):
    run, probes = planted(tiny_run, lambda craft, shop: one_hot(3, craft))
    table = probes.manifest.table.assign(source="")
    blind = replace(probes, manifest=manifest_of(table, probes.manifest.root))
    document = score(run, blind, "piece")
    assert document["shortcut_gap"] is None
    console = Console(file=io.StringIO(), width=120)
    Evaluation(document).print_table(console)
    assert "shortcut" not in console.file.getvalue()


def test_one_source_for_all_leaves_nothing_to_compare_with(tiny_run):
    run, probes = planted(tiny_run, lambda craft, shop: one_hot(3, craft))
    gallery = Gallery(run.gallery.embeddings, run.gallery.references.assign(source="the shop"))
    probes = replace(
        probes, manifest=manifest_of(probes.manifest.table.assign(source="the shop"), probes.manifest.root)
    )
    gap = score(replace(run, gallery=gallery), probes, "random")["shortcut_gap"]
    assert gap["top1"] == gap["nearest"] == {"random": 1.0, "source": 0.0, "gap": 1.0}
    same = Gallery(gallery.embeddings, gallery.references.assign(piece="the piece"))
    probes = replace(
        probes, manifest=manifest_of(probes.manifest.table.assign(piece="the piece"), probes.manifest.root)
    )
    with pytest.raises(EvaluationError, match="piece leaves it no reference"):
        score(replace(run, gallery=same), probes, "piece")


@pytest.mark.parametrize("protocol", ["source", "piece", "random"])
def test_pooled_cosines_against_a_plain_loop(protocol):
    rng = np.random.default_rng(1)

    def columns(count):
        vectors = rng.normal(size=(count, 5)).astype(np.float32)
        return {
            "embedding": vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
            "craft": np.array([CRAFTS[row % 3] for row in range(count)]),
            "piece": np.array([f"{row % 3}-{rng.integers(4)}" for row in range(count)]),
            "source": np.array([("a", "b", "c", "")[rng.integers(4)] for _ in range(count)]),
        }

    probe, gallery = columns(9), columns(14)
    classes = np.array(CRAFTS)
    cosines, nearest = pooled_cosines(probe, gallery, classes, protocol)
    every = {name: np.concatenate([probe[name], gallery[name]]) for name in probe}
    for row in range(9):
        allowed = np.arange(23) != row
        if protocol != "random":
            allowed &= (every[protocol] != probe[protocol][row]) | (every[protocol] == "")
        for index, craft in enumerate(classes):
            mine = allowed & (every["craft"] == craft)
            if mine.any():
                expected = (
                    prototype(every["embedding"][mine], every["piece"][mine], every["source"][mine])
                    @ probe["embedding"][row]
                )
                assert cosines[row, index] == pytest.approx(expected, abs=1e-5)
            else:
                assert cosines[row, index] == -1
        similarity = np.where(allowed, every["embedding"] @ probe["embedding"][row], -2)
        assert classes[nearest[row]] == every["craft"][similarity.argmax()]


def test_unreadable_photos_get_rows_of_nan(tiny_embedder, tmp_path):
    files = [zero_byte(tmp_path), save(tmp_path / "a.png", textured(64, 64))]
    embeddings = embeddings_with_gaps(tiny_embedder, files)
    assert np.isnan(embeddings[0]).all()
    assert np.linalg.norm(embeddings[1]) == pytest.approx(1, abs=1e-5)
