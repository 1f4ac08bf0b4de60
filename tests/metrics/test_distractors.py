"""Identification and verification against very many distractors: exact, whatever the blocks, in little memory."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saree_cosface.metrics.distractors import distractor_ranks, large_scale_tar_at_far
from saree_cosface.metrics.identification import ranks
from saree_cosface.metrics.operating_point import TooFewImpostors
from saree_cosface.metrics.verification import tar_at_far


def drawn_people(probes=40, distractors=500, dim=16, seed=0, spread=0.8, dtype=np.float32):
    """(probes, mates, distractors), not at unit length."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(probes, dim))
    photos = [centres + spread * generator.normal(size=(probes, dim)) for _ in range(2)]
    others = generator.normal(size=(distractors, dim)) * generator.uniform(0.1, 30, size=(distractors, 1))
    return photos[0].astype(dtype), photos[1].astype(dtype), others.astype(dtype)


def unit(embeddings, dtype=np.float64):
    embeddings = np.asarray(embeddings).astype(dtype)
    return embeddings / np.sqrt(np.sum(embeddings**2, axis=1, keepdims=True))


def plain_ranks(probes, mates, distractors, sizes, dtype=np.float64):
    """From the whole score matrix, in ``dtype``."""
    probes, mates, distractors = (unit(array, dtype) for array in (probes, mates, distractors))
    genuine = np.sum(probes * mates, axis=1)
    found = []
    for probe, own in zip(probes, genuine, strict=True):
        cosines = np.sum(distractors * probe, axis=1)
        found.append([1 + int(np.sum(cosines[:size] >= own)) for size in sizes])
    return found


class TestDistractorRanks:
    @pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
    def test_agrees_with_plain_code(self, dtype):
        people = drawn_people(dtype=dtype)
        sizes = [1, 10, 100, 499, 500]
        expected = plain_ranks(*people, sizes)
        assert len(np.unique(expected)) > 20
        for block in (1, 7, 64, 2048):
            assert distractor_ranks(*people, sizes, block=block).tolist() == expected

    def test_agrees_with_ranks_of_a_score_matrix(self):
        probes, mates, distractors = drawn_people(seed=1)
        scores = unit(probes) @ unit(distractors).T
        own = np.sum(unit(probes) * unit(mates), axis=1)
        expected = ranks(np.column_stack([own, scores]), np.zeros(len(probes), dtype=int))
        np.testing.assert_array_equal(distractor_ranks(probes, mates, distractors, [500])[:, 0], expected)

    def test_near_ties_are_told_apart(self):
        # Half-precision neighbours of the mates: many cosines differ from the mate's by less than single precision
        # resolves over 512 dimensions, some by nothing. The reference has 64 bits of mantissa.
        generator = np.random.default_rng(2)
        probes, mates, _ = drawn_people(12, 1, 512, seed=2, dtype=np.float16)
        near = np.repeat(mates, 20, axis=0)
        columns = generator.integers(512, size=len(near))
        rows = np.arange(len(near))
        moved = np.nextafter(near[rows, columns], generator.choice([-np.inf, np.inf], len(near)).astype(np.float16))
        near[rows, columns] = np.where(rows % 5 == 0, near[rows, columns], moved)
        near = near[generator.permutation(len(near))]
        expected = plain_ranks(probes, mates, near, [100, 240], np.longdouble)
        gaps = np.abs(
            np.einsum("pd,nd->pn", unit(probes), unit(near)) - np.sum(unit(probes) * unit(mates), axis=1)[:, None]
        )
        assert np.sum((gaps > 1e-11) & (gaps < 1e-6)) > 50
        for block in (1, 5, 2048):
            assert distractor_ranks(probes, mates, near, [100, 240], block=block).tolist() == expected

    @pytest.mark.parametrize("factor", [1, 3, 0.1, 1e4])
    @pytest.mark.parametrize("block", [1, 13, 2048])
    def test_a_copy_of_the_mate_stands_before_it(self, factor, block):
        probes, mates, _ = drawn_people(30, 1, 200, dtype=np.float64)
        for row in range(30):
            copies = np.concatenate([mates[row : row + 1] * factor, -probes[row : row + 1]])
            assert distractor_ranks(probes[row : row + 1], mates[row : row + 1], copies, [2], block=block) == 2

    @given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(1, 70), st.integers(0, 1000))
    def test_any_sizes_and_any_block(self, sizes, block, seed):
        people = drawn_people(5, 60, 3, seed)
        assert distractor_ranks(*people, sizes, block=block).tolist() == plain_ranks(*people, sizes)

    @given(st.integers(0, 1000))
    def test_lengths_and_the_order_of_distractors_do_not_matter(self, seed):
        probes, mates, distractors = drawn_people(5, 60, 3, seed, dtype=np.float64)
        generator = np.random.default_rng(seed)
        scaled = [
            array * 2.0 ** generator.integers(-9, 9, size=(len(array), 1)) for array in (probes, mates, distractors)
        ]
        before = distractor_ranks(probes, mates, distractors, [60])
        np.testing.assert_array_equal(distractor_ranks(*scaled, [60]), before)
        shuffled = generator.permutation(distractors)
        np.testing.assert_array_equal(distractor_ranks(probes, mates, shuffled, [60]), before)

    def test_lengths_beyond_half_and_single_precision(self):
        probes, mates, distractors = drawn_people(dtype=np.float64)
        expected = distractor_ranks(probes, mates, distractors, [500])
        np.testing.assert_array_equal(
            distractor_ranks(probes * 1e30, mates * 1e-30, distractors * 1e100, [500]), expected
        )
        half = [(array / np.abs(array).max() * 60_000).astype(np.float16) for array in (probes, mates, distractors)]
        assert distractor_ranks(*half, [500]).tolist() == plain_ranks(*half, [500])

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda p, m, d: (p[0], m, d, [1]), r"probes have shape \(16,\)"),
            (lambda p, m, d: (p, m[:, :3], d, [1]), "mates have 3 dimensions, probes 16"),
            (lambda p, m, d: (p, m, d[:, :3], [1]), "distractors have 3 dimensions"),
            (lambda p, m, d: (p, m[:5], d, [1]), "5 mates for 40 probes"),
            (lambda p, m, d: (p, m, d[:0], [1]), "distractors have shape"),
            (lambda p, m, d: (p, m, d.astype(str), [1]), "distractors have shape .* must be numbers"),
            (lambda p, m, d: (p, m, d, [501]), r"sizes asks for 501 distractors; it must lie within \[1, 500\]"),
            (lambda p, m, d: (p, m, d, [10, 0]), "sizes asks for 0"),
            (lambda p, m, d: (p, m, d, []), "give a sequence of whole numbers"),
            (lambda p, m, d: (p, m, d, [0.5]), "give a sequence of whole numbers"),
            (lambda p, m, d: (p, m, d, 10), "give a sequence of whole numbers"),
        ],
    )
    def test_refuses_wrong_arrays(self, change, message):
        with pytest.raises(ValueError, match=message):
            distractor_ranks(*change(*drawn_people()))

    @pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
    @pytest.mark.parametrize(("what", "which", "row"), [("probes", 0, 33), ("mates", 1, 0), ("distractors", 2, 471)])
    def test_names_the_row_that_has_no_cosine(self, value, what, which, row):
        people = drawn_people()
        people[which][row] = value
        with pytest.raises(ValueError, match=rf"{what}\[{row}\] is zero or not finite; .* leave it out"):
            distractor_ranks(*people, [500], block=16)
        with pytest.raises(ValueError, match=rf"{what}\[{row}\] is zero or not finite"):
            large_scale_tar_at_far(*people, [0.1], block=16)

    def test_refuses_an_empty_block(self):
        with pytest.raises(ValueError, match="block is 0"):
            distractor_ranks(*drawn_people(), [10], block=0)


class TestLargeScaleTarAtFar:
    @pytest.mark.parametrize("block", [7, 64, 2048])
    def test_agrees_with_the_whole_score_matrix(self, block):
        probes, mates, distractors = drawn_people(dtype=np.float16)
        genuine = np.sum(unit(probes) * unit(mates), axis=1)
        impostors = (unit(probes) @ unit(distractors).T).ravel()
        scores, same = np.append(genuine, impostors), np.arange(40 + 20_000) < 40
        fars = [1e-3, 0.2, 0.01]
        results = large_scale_tar_at_far(probes, mates, distractors, fars, block=block)
        for far, result in zip(fars, results, strict=True):
            expected = tar_at_far(scores, same, far)
            assert result.threshold == pytest.approx(expected.threshold, abs=1e-12)
            assert replace(result, threshold=expected.threshold) == expected
            assert 0 < result.tar < 1

    @pytest.mark.parametrize("block", [3, 2048])
    def test_a_mate_that_ties_with_the_first_impostor_turned_away_is_not_accepted(self, block):
        # 10 probes of one class and 30 distractors, 3 of them copies of the mate: 30 impostors tie with the 10 mates.
        generator = np.random.default_rng(0)
        probe, mate = generator.normal(size=(2, 1, 50))
        distractors = np.concatenate([3 * mate] * 3 + [-probe] * 27)
        arrays = np.repeat(probe, 10, axis=0), np.repeat(mate, 10, axis=0), distractors
        strict, lenient = large_scale_tar_at_far(*arrays, [0.05, 0.1], block=block)
        assert strict.tar == 0  # 15 may pass but 30 are equal
        assert lenient.tar == 1  # all 30 may

    def test_refuses_too_few_impostors_before_it_computes(self):
        probes, mates, distractors = drawn_people()
        distractors[:] = np.nan
        with pytest.raises(TooFewImpostors, match="too few impostors: 20,000, .* at least 30,000"):
            large_scale_tar_at_far(probes, mates, distractors, [0.1, 1e-4])

    def test_refuses_no_fars(self):
        with pytest.raises(ValueError, match="fars is empty"):
            large_scale_tar_at_far(*drawn_people(), [])


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """400 probes against 200,000 half-precision distractors in a file; the score matrix would take 640 MB."""
    probes, mates, _ = drawn_people(400, 1, 64, dtype=np.float16)
    path = tmp_path_factory.mktemp("distractors") / "distractors.npy"
    distractors = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(200_000, 64))
    distractors[:] = np.random.default_rng(3).normal(size=distractors.shape)
    distractors.flush()
    return probes, mates, np.load(path, mmap_mode="r")


@pytest.fixture
def peak():
    """Bytes that Python held at most since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.mark.slow
def test_ranks_take_no_more_memory_than_blocks(many, peak):
    found = distractor_ranks(*many, [100, 200_000])
    assert peak() < 40e6
    probes, mates, distractors = many
    hardest = np.argsort(found[:, 1])[-5:]
    assert found[hardest].tolist() == plain_ranks(probes[hardest], mates[hardest], distractors, [100, 200_000])
    assert found[hardest, 1].min() > 10


def test_verification_takes_no_more_memory_than_blocks(many, peak):
    (result,) = large_scale_tar_at_far(*many, [1e-5])
    assert peak() < 40e6
    assert result.impostors == 80_000_000
    probes, mates, distractors = many
    accepted = 0
    for start in range(0, 200_000, 20_000):
        accepted += np.sum(unit(probes) @ unit(distractors[start : start + 20_000]).T >= result.threshold)
    assert accepted == 800
    assert result.tar == np.mean(np.sum(unit(probes) * unit(mates), axis=1) >= result.threshold)
    assert 0.1 < result.tar < 0.98


class TestSeveralMates:
    """A probe with several mates is sought once with each, and is compared with the distractors once."""

    def drawn(self, seed=3):
        probes, mates, distractors = drawn_people(probes=20, distractors=150, seed=seed)
        owners = np.random.default_rng(seed).integers(0, 19, size=70)  # in no order; the last probe has none
        vectors = mates[owners] + np.random.default_rng(9).normal(size=(70, 16)).astype(np.float32)
        return probes, vectors, distractors, owners

    @pytest.mark.parametrize("block", [1, 3, 16, 2048])
    def test_ranks_are_those_of_every_probe_with_every_mate(self, block):
        probes, mates, distractors, owners = self.drawn()
        expected = plain_ranks(probes[owners], mates, distractors, [10, 150])
        assert distractor_ranks(probes, mates, distractors, [10, 150], owners=owners, block=block).tolist() == expected

    @pytest.mark.parametrize("block", [3, 2048])
    def test_impostors_are_counted_once(self, block):
        probes, mates, distractors, owners = self.drawn()
        (found,) = large_scale_tar_at_far(probes, mates, distractors, [0.01], owners=owners, block=block)
        genuine = np.sum(unit(probes)[owners] * unit(mates), axis=1)
        impostors = (unit(probes) @ unit(distractors).T).ravel()
        scores = np.concatenate([genuine, impostors])
        expected = tar_at_far(scores, np.arange(len(scores)) < len(genuine), 0.01)
        assert (found.tar, found.genuine, found.impostors) == (expected.tar, 70, 3000)
        assert found.threshold == pytest.approx(expected.threshold, abs=1e-9)

    @pytest.mark.parametrize("owners", [[0] * 69, [20] + [0] * 69, [-1] + [0] * 69, [0.0] * 70])
    def test_owners_that_are_none_are_refused(self, owners):
        probes, mates, distractors, _ = self.drawn()
        with pytest.raises(ValueError, match=r"owners must be \(70,\) whole numbers within \[0, 20\)"):
            distractor_ranks(probes, mates, distractors, [10], owners=owners)
