"""Trainings on growing shares, with a small network of random weights in the place of a pretrained one."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from saree_cosface.networks.create import create_backbone
from saree_cosface.options import ModelOptions
from saree_cosface.scoring import baselines, growing
from saree_cosface.scoring.comparable import Comparable
from saree_cosface.scoring.growing import first_sources, sources_of_each, trials

MODEL = ModelOptions("test_resnet", pooling="second_order", depths=1, directions=4)


@pytest.fixture
def untrained(monkeypatch):
    """Backbones of random weights, the same each time that one is asked for."""

    def made(name, **options):
        torch.manual_seed(0)
        return create_backbone(name, pretrained=False, **options)

    for module in (growing, baselines):
        monkeypatch.setattr(module, "create_backbone", made)


@pytest.fixture
def photos(tiny_corpus, tmp_path):
    where = "craft in ['chanderi', 'leheriya', 'jamdani']"
    return Comparable.read(tiny_corpus, ["source"], where=where, seeds=1, folds=2, cache=tmp_path)


@given(
    pairs=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=60),
    seed=st.integers(0, 99),
)
def test_shares_grow_by_whole_sources_and_lose_nothing(pairs, seed):
    labels, sources = np.array(pairs).T
    order = np.random.default_rng(seed).permutation(10)[sources]
    rows = np.arange(len(labels))
    before = np.zeros(0, np.int_)
    for share in (*growing.SHARES, 1.0):
        taken = first_sources(labels, order, rows, np.full(4, share))
        assert set(before) <= set(taken)
        for craft in set(labels):
            mine = rows[labels == craft]
            kept = set(sources[np.intersect1d(mine, taken)])
            assert [row for row in mine if sources[row] in kept] == sorted(set(mine) & set(taken))
            assert len(kept) == max(1, round(share * len(set(sources[mine]))))
        before = taken
    assert before.tolist() == rows.tolist()


def test_no_training_knows_a_source_that_it_is_asked_about(photos):
    sources = photos.manifest.sources
    split = photos.splits["source", 0]
    deals = list(growing._deals(photos, split, 2, 2, 0))
    for each in deals:
        beside = sorted(set(range(len(photos.labels))) - set(each.test))
        assert not set(sources[beside]) & set(sources[each.test])
        assert all(set(rows) <= set(beside) for _, rows in each.steps)
        if each.deal == growing.WHOLE:
            assert [share for share, _ in each.steps] == [1.0]
            assert each.steps[0][1].tolist() == beside
        else:
            one, other = ({int(own) for own in sources_of_each(photos, rows)} for _, rows in each.steps[-2:])
            assert len(one) > 1  # here crafts do not grow alike
            assert len(other) > 1
    for deal in (growing.WHOLE, 0, 1):
        asked = [row for each in deals if each.deal == deal for row in each.test]
        assert sorted(asked) == list(range(len(photos.labels)))


@pytest.mark.slow
def test_what_was_answered_is_kept_and_counted(photos, tmp_path, untrained, monkeypatch):
    options = {"deals": 2, "folds": 2, "seed": 0, "cache": tmp_path, "progress": False}
    found = trials(photos, MODEL, **options)
    whole = found.deal == growing.WHOLE
    assert found.photos[whole].sum() == len(photos.labels)
    assert (found.right <= found.photos).all()
    assert found.others[whole] == pytest.approx(0.5, abs=0.2)  # half of the sources are held out
    cells = sorted(tmp_path.glob("curves/*/*.json"))
    assert len(cells) == 2 * 3
    cells[0].write_text("[0, 1", encoding="utf-8")  # a file of another program, or of a disk that was full
    cells[1].unlink()
    computed = []
    read = growing._Readout.__call__
    monkeypatch.setattr(growing._Readout, "__call__", lambda *given: computed.append(1) or read(*given))
    again = trials(photos, MODEL, **options)
    assert len(computed) == 2
    assert all(
        (getattr(found, name) == getattr(again, name))[~np.isnan(getattr(found, name))].all() for name in vars(found)
    )
    assert json.loads(cells[0].read_text(encoding="utf-8"))
    trials(photos, replace(MODEL, directions=3), **options)  # another network is asked anew
    assert len(computed) == 2 + 6


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_makes_the_next_call_slow_and_no_more(photos, tmp_path, untrained, capsys):
    (tmp_path / "curves").write_text("a file in the way", encoding="utf-8")
    found = trials(photos, replace(MODEL, pooling="mean"), deals=1, folds=2, seed=0, cache=tmp_path, progress=False)
    assert len(found.craft)
    assert capsys.readouterr().err.count("Answers are not kept") == 1
