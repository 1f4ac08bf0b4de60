from pathlib import Path

import numpy as np
import pytest

from saree_cosface.answers.attribution import attribute
from saree_cosface.runs.gallery import Gallery
from saree_cosface.taxonomy import load_taxonomy
from tests.helpers.galleries import gallery_of, unit
from tests.helpers.numbers import calibration_with

TAXONOMY = load_taxonomy()
PHOTO = [Path("a.jpg")]


def test_traditions_are_ranked_by_cosine_to_their_prototypes():
    gallery = gallery_of(12, dim=8)
    query = unit(np.random.default_rng(7).normal(size=(1, 8)))
    answer = attribute(query, PHOTO, gallery, TAXONOMY)
    cosines = dict(zip(gallery.crafts, gallery.prototypes @ query[0], strict=True))
    expected = sorted(cosines, key=cosines.get, reverse=True)
    assert [tradition.craft for tradition in answer.traditions] == expected
    assert answer.traditions[0].cosine == pytest.approx(cosines[expected[0]], abs=1e-6)
    assert answer.gap == pytest.approx(cosines[expected[0]] - cosines[expected[1]], abs=1e-6)
    assert answer.photos == ("a.jpg",)
    nearest = gallery.nearest(query[0], 5)
    assert [reference.cosine for reference in answer.references] == pytest.approx([cosine for _, cosine in nearest])
    assert len({reference.piece for reference in answer.references}) == 5
    assert answer.references[0].path == gallery.references["path"][nearest[0][0]]


def test_the_cosines_of_a_piece_are_the_mean_of_those_of_its_photos():
    gallery = gallery_of(12, dim=8)
    views = unit(np.random.default_rng(8).normal(size=(3, 8)))
    several = attribute(views, [Path(name) for name in "abc"], gallery, TAXONOMY)
    cosines = {name: np.mean(views @ row) for name, row in zip(gallery.crafts, gallery.prototypes, strict=True)}
    assert [tradition.craft for tradition in several.traditions] == sorted(cosines, key=cosines.get, reverse=True)
    for tradition in several.traditions:
        assert tradition.cosine == pytest.approx(cosines[tradition.craft], abs=1e-6)
    first = several.references[0]
    row = gallery.references["path"].tolist().index(first.path)
    assert first.cosine == pytest.approx(np.mean(views @ gallery.embeddings[row]), abs=1e-6)
    assert several.photos == ("a", "b", "c")
    assert [say.weight for say in several.says] == pytest.approx([1 / 3] * 3)


def test_with_a_calibration_a_sure_photo_counts_for_more():
    gallery = gallery_of(12, dim=8)
    sure, unsure = gallery.prototypes[0], unit(gallery.prototypes.mean(axis=0)[None])[0]
    calibration = calibration_with(temperature=0.1, crafts=tuple(gallery.crafts))
    answer = attribute(np.stack([sure, unsure]), [Path("a"), Path("b")], gallery, TAXONOMY, calibration=calibration)
    weights = np.array([say.weight for say in answer.says])
    assert weights.sum() == pytest.approx(1)
    assert weights[0] > 0.6
    expected = weights @ (np.stack([sure, unsure]) @ gallery.prototypes.T)
    found = {tradition.craft: tradition for tradition in answer.traditions}
    chances = calibration.probabilities(expected, photos=2)
    for craft, cosine, chance in zip(gallery.crafts, expected, chances, strict=True):
        if craft in found:
            assert found[craft].cosine == pytest.approx(cosine, abs=1e-6)
            assert found[craft].probability == pytest.approx(chance, abs=1e-6)


def test_a_photo_that_disagrees_is_pointed_out():
    gallery = gallery_of(12, dim=8)
    first, second = gallery.prototypes[:2]
    answer = attribute(np.stack([first, second, first]), [Path(name) for name in "abc"], gallery, TAXONOMY)
    assert answer.traditions[0].craft == gallery.crafts[0]
    assert [say.photo for say in answer.says] == ["a", "b", "c"]
    assert [say.craft for say in answer.says] == [gallery.crafts[row] for row in (0, 1, 0)]
    assert [say.cosine for say in answer.says] == pytest.approx([1, 1, 1])
    (other,) = answer.disagreeing
    assert other.photo == "b"
    assert other.cosine_to_answer == pytest.approx(float(first @ second))
    alone = attribute(first[None], PHOTO, gallery, TAXONOMY)
    assert not alone.disagreeing
    assert len(alone.says) == 1


def test_names_come_from_the_taxonomy_where_it_knows_the_craft():
    gallery = gallery_of(4)
    foreign = Gallery(gallery.embeddings, gallery.references.assign(craft="a craft of ours"))
    known = attribute(gallery.embeddings[:1], PHOTO, gallery, TAXONOMY).traditions[0]
    assert (known.name, known.family) == (TAXONOMY[known.craft].name, TAXONOMY[known.craft].family)
    answer = attribute(foreign.embeddings[:1], PHOTO, foreign, TAXONOMY)
    assert answer.traditions[0].name == "a craft of ours"
    assert answer.traditions[0].family == ""
    assert answer.gap == 0  # there is no second


def test_as_many_as_asked_for():
    answer = attribute(gallery_of(12).embeddings[:1], PHOTO, gallery_of(12), TAXONOMY, top=2, references=1)
    assert (len(answer.traditions), len(answer.references)) == (2, 1)


@pytest.mark.parametrize(
    ("embeddings", "gallery", "said"),
    [
        (np.zeros((0, 4), np.float32), gallery_of(), "no photo of the piece could be read"),
        (np.ones((1, 4), np.float32), gallery_of().remove(gallery_of().references["path"].tolist()), "add references"),
        (np.ones((1, 5), np.float32), gallery_of(), "another embedder; build it again"),
    ],
)
def test_what_cannot_be_answered_is_said(embeddings, gallery, said):
    with pytest.raises(ValueError, match=said):
        attribute(embeddings, PHOTO, gallery, TAXONOMY)
