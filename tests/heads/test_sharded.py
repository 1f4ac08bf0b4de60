"""Prototypes shared out among processes: loss, gradients and predictions are those of one process that has all."""

import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from saree_cosface.heads import ArcFace, CosFace, NormalizedSoftmax, ShardedHead, Softmax, SphereFace
from saree_cosface.heads.ranks import clip_gradients, place, shard
from tests.helpers.ranks import joined

DIM, CLASSES = 8, 10
HEADS = {
    "LMCL": lambda: CosFace(DIM, CLASSES, scale=30.0, margin=0.35),
    "LMCL, lengths kept": lambda: CosFace(DIM, CLASSES, scale=None, margin=0.35),
    "NSL": lambda: NormalizedSoftmax(DIM, CLASSES, scale=16.0),
    "ArcFace": lambda: ArcFace(DIM, CLASSES, scale=64.0, margin=0.5),
}
BATCHES = {
    # The classes of 2 and of 4 ranks are 0-4, 5-9 and 0-2, 3-5, 6-7, 8-9: the last has no label here, and one is there often.
    "one rank without a label": (5, [0, 1, 4, 1, 1]),
    "every class": (10, list(range(CLASSES))),
    "labels of the last rank alone": (3, [9, 9, 8]),
}
TYPES = {"float32": (torch.float32, 1e-5), "float64": (torch.float64, 1e-10)}


def prototypes(dtype=torch.float64):
    return torch.randn(CLASSES, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64).to(dtype)


def batch(name, ranks, dtype=torch.float64):
    """Embeddings and labels of each rank."""
    size, labels = BATCHES[name]
    embeddings = torch.randn(ranks * size, DIM, generator=torch.Generator().manual_seed(2), dtype=torch.float64).to(
        dtype
    )
    return embeddings.split(size), torch.tensor(labels * ranks).split(size)


def sharded(formula, sample=1.0, dtype=torch.float64, seed=3):
    head = ShardedHead(formula, sample=sample)
    head.spread(seed)
    head.formula.weight = nn.Parameter(prototypes(dtype)[head.rows.start : head.rows.stop].clone())
    return head


def step(head, embeddings, labels, outer=1.0):
    embeddings = embeddings.clone().requires_grad_()
    head.zero_grad()
    loss = head(embeddings, labels)
    (outer * loss).backward()
    return {"loss": loss.detach(), "embeddings": embeddings.grad, "prototypes": head.weight.grad.clone()}


# --- what the ranks do -----------------------------------------------------------------------------------------------


def find_all():
    """Everything that is looked at below, in one start of the processes."""
    ranks, rank = place()
    found = {}
    for kind, make in HEADS.items():
        for name in BATCHES:
            for precision, (dtype, _) in TYPES.items():
                embeddings, labels = (each[rank] for each in batch(name, ranks, dtype))
                head = sharded(make(), dtype=dtype)
                got = step(head, embeddings, labels)
                found[f"{kind}, {name}, {precision}"] = {**got, "predictions": head.predictions(embeddings)}
    found["half precision"] = half_precision(rank)
    found["sampled"] = [drawn(rank, sample) for sample in (0.3, 0.3, 0.01, 1.0)]
    found["unequal"] = unequal(rank)
    found["errors"] = errors(rank)
    found["trained"] = trained_by_ranks(rank)
    found["rows"] = list(sharded(HEADS["LMCL"]()).rows)
    fresh = ShardedHead(HEADS["LMCL"]())
    fresh.spread(7)
    found["fresh"] = fresh.weight.detach()
    return found


def half_precision(rank):
    embeddings, labels = (each[rank] for each in batch("every class", place()[0], torch.bfloat16))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return step(sharded(HEADS["LMCL"](), dtype=torch.float32), embeddings, labels)


def drawn(rank, sample):
    """Two steps with some of the classes."""
    embeddings, labels = (each[rank] for each in batch("one rank without a label", place()[0]))
    head = sharded(HEADS["LMCL"](), sample=sample)
    steps = []
    for _ in range(2):
        got = step(head, embeddings, labels, outer=0.5)
        seen = range(len(head.rows)) if head._drawn is None else head._drawn.tolist()
        found = {"seen": [head.rows.start + row for row in seen], "predictions": head.predictions(embeddings)}
        steps.append({**got, **found})
    head.eval()
    with torch.no_grad():
        whole = head(embeddings, labels)
    return {"steps": steps, "whole": whole, "everywhere": head.predictions(embeddings), "count": int(head.step)}


def unequal(rank):
    """Rank 0 has nothing, the others as many embeddings as their number is."""
    embeddings, labels = (torch.cat(each) for each in batch("every class", place()[0]))
    mine = slice(sum(range(rank)), sum(range(rank + 1)))
    head = sharded(HEADS["ArcFace"]())
    return {**step(head, embeddings[mine], labels[mine]), "predictions": head.predictions(embeddings[mine])}


def errors(rank):
    """What is wrong on one rank is told by all, and they go on together."""
    embeddings = torch.zeros(2, DIM)
    head = sharded(HEADS["LMCL"]())
    told = []
    for given, labels in (
        (embeddings, torch.tensor([0, 10 if rank == 1 else 0])),
        (embeddings[:0], torch.empty(0).long()),
    ):
        try:
            head(given, labels)
        except ValueError as error:
            told.append(str(error))
    try:
        crowd = ShardedHead(CosFace(DIM, 2) if place()[0] == 4 else CosFace(DIM, 3))
        crowd.spread()
    except ValueError as error:
        told.append(str(error))
    head(embeddings, torch.tensor([0, 1]))
    return told


STEPS, CLIP = 4, 0.8


def trained_by_ranks(rank):
    """A network under DistributedDataParallel, with a gradient that is clipped over all ranks."""
    torch.manual_seed(0)
    network, head = DistributedDataParallel(nn.Linear(6, DIM).double()), sharded(HEADS["LMCL"]())
    optimizer = torch.optim.SGD([*network.parameters(), *head.parameters()], lr=0.5, momentum=0.9)
    for inputs, labels in steps_of_all():
        optimizer.zero_grad()
        ranks = place()[0]
        head(network(inputs.chunk(ranks)[rank]), labels.chunk(ranks)[rank]).backward()
        clip_gradients(list(network.parameters()), head.weight, CLIP)
        optimizer.step()
    return {"network": network.module.weight.detach(), "prototypes": head.weight.detach()}


def steps_of_all():
    generator = torch.Generator().manual_seed(5)
    for _ in range(STEPS):
        inputs = torch.randn(12, 6, generator=generator, dtype=torch.float64)
        yield inputs, torch.randint(CLASSES, (12,), generator=generator)


# --- what they found -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[2, 4])
def found(request, tmp_path_factory):
    return joined(find_all, request.param, tmp_path_factory.mktemp("ranks") / "of")


def plain(make, dtype=torch.float64):
    head = make()
    head.weight = nn.Parameter(prototypes(dtype))
    return head


def assert_equal_steps(of_ranks, head, embeddings, labels, tolerance):
    """The ranks' losses and gradients against those of one process on all their embeddings."""
    expected = step(head, embeddings, labels)
    for each in of_ranks:
        assert torch.equal(each["loss"], of_ranks[0]["loss"])
    found = {
        "loss": of_ranks[0]["loss"],
        "embeddings": torch.cat([each["embeddings"] for each in of_ranks]) / len(of_ranks),
        "prototypes": torch.cat([each["prototypes"] for each in of_ranks]),
    }
    for name, value in expected.items():
        torch.testing.assert_close(
            found[name], value, rtol=tolerance, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.slow
@pytest.mark.parametrize("precision", TYPES)
@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("kind", HEADS)
def test_loss_and_gradients_are_those_of_one_process(found, kind, name, precision):
    dtype, tolerance = TYPES[precision]
    embeddings, labels = (torch.cat(each) for each in batch(name, len(found), dtype))
    of_ranks = [each[f"{kind}, {name}, {precision}"] for each in found]
    head = plain(HEADS[kind], dtype)
    assert_equal_steps(of_ranks, head, embeddings, labels, tolerance)
    assert torch.equal(torch.cat([each["predictions"] for each in of_ranks]), head.predictions(embeddings))


@pytest.mark.slow
def test_half_precision_is_lifted(found):
    embeddings, labels = (torch.cat(each) for each in batch("every class", len(found), torch.bfloat16))
    of_ranks = [each["half precision"] for each in found]
    assert {each["embeddings"].dtype for each in of_ranks} == {torch.bfloat16}
    expected = step(plain(HEADS["LMCL"], torch.float32), embeddings, labels)
    torch.testing.assert_close(of_ranks[0]["loss"], expected["loss"], rtol=1e-5, atol=1e-5)
    gradient = torch.cat([each["prototypes"] for each in of_ranks])
    torch.testing.assert_close(gradient, expected["prototypes"], rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_ranks_may_have_different_numbers_of_embeddings(found):
    count = sum(range(len(found)))
    embeddings, labels = (torch.cat(each)[:count] for each in batch("every class", len(found)))
    of_ranks = [each["unequal"] for each in found]
    assert [len(each["embeddings"]) for each in of_ranks] == list(range(len(found)))
    head = plain(HEADS["ArcFace"])
    assert_equal_steps(of_ranks, head, embeddings, labels, 1e-10)
    assert torch.equal(torch.cat([each["predictions"] for each in of_ranks]), head.predictions(embeddings))


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(("place_in_list", "share"), [(0, 0.3), (2, 0.01)])
def test_with_some_of_the_classes_it_is_the_softmax_over_these(found, place_in_list, share, number):
    of_ranks = [each["sampled"][place_in_list]["steps"][number] for each in found]
    embeddings, labels = (torch.cat(each) for each in batch("one rank without a label", len(found)))
    seen = [row for each in of_ranks for row in each["seen"]]
    assert set(labels.tolist()) <= set(seen)
    for each, rows in zip(of_ranks, (each["rows"] for each in found), strict=True):
        present = set(labels.tolist()) & set(rows)
        assert each["seen"] == sorted(set(each["seen"]))
        assert len(each["seen"]) == max(1, round(share * len(rows)), len(present))
    few = CosFace(DIM, len(seen), scale=30.0, margin=0.35)
    few.weight = nn.Parameter(prototypes()[seen])
    expected = step(few, embeddings, torch.tensor([seen.index(label) for label in labels]), outer=0.5)
    whole = torch.zeros(CLASSES, DIM, dtype=torch.float64)
    whole[seen] = expected["prototypes"]
    gradient = torch.cat([each["embeddings"] for each in of_ranks]) / len(found)
    torch.testing.assert_close(of_ranks[0]["loss"], expected["loss"], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(gradient, expected["embeddings"], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(torch.cat([each["prototypes"] for each in of_ranks]), whole, rtol=1e-10, atol=1e-10)
    predicted = torch.tensor(seen)[few.predictions(embeddings)]
    assert torch.equal(torch.cat([each["predictions"] for each in of_ranks]), predicted)


@pytest.mark.slow
def test_what_is_drawn_follows_from_seed_and_step(found):
    draws = [[[step["seen"] for step in run["steps"]] for run in each["sampled"]] for each in found]
    assert all(first == again for first, again, *_ in draws)
    assert any(first[0] != first[1] for first, *_ in draws)
    assert [each["sampled"][0]["count"] for each in found] == [2] * len(found)


@pytest.mark.slow
def test_out_of_training_all_classes_are_seen(found):
    embeddings, labels = (torch.cat(each) for each in batch("one rank without a label", len(found)))
    head = plain(HEADS["LMCL"])
    with torch.no_grad():
        expected = head(embeddings, labels)
    for run in range(4):
        torch.testing.assert_close(found[0]["sampled"][run]["whole"], expected)
        predicted = torch.cat([each["sampled"][run]["everywhere"] for each in found])
        assert torch.equal(predicted, head.predictions(embeddings))


@pytest.mark.slow
def test_an_error_of_one_rank_is_told_by_all(found):
    for each in found:
        wrong, empty, *crowd = each["errors"]
        assert "label 10 is outside [0, 10)" in wrong
        assert "the batch is empty" in empty
        assert crowd == (["2 classes cannot be shared by 4 processes: start fewer"] if len(found) == 4 else [])


@pytest.mark.slow
def test_a_network_under_it_learns_as_in_one_process(found):
    torch.manual_seed(0)
    network, head = nn.Linear(6, DIM).double(), plain(HEADS["LMCL"])
    learned = [*network.parameters(), *head.parameters()]
    optimizer = torch.optim.SGD(learned, lr=0.5, momentum=0.9)
    lengths = []
    for inputs, labels in steps_of_all():
        optimizer.zero_grad()
        head(network(inputs), labels).backward()
        lengths.append(float(nn.utils.clip_grad_norm_(learned, CLIP)))
        optimizer.step()
    assert min(lengths) > CLIP
    for each in found:
        torch.testing.assert_close(each["trained"]["network"], network.weight.detach(), rtol=1e-10, atol=1e-10)
    gathered = torch.cat([each["trained"]["prototypes"] for each in found])
    torch.testing.assert_close(gathered, head.weight.detach(), rtol=1e-10, atol=1e-10)


@pytest.mark.slow
def test_prototypes_are_the_same_however_many_ranks_share_them(found):
    alone = ShardedHead(HEADS["LMCL"]())
    alone.spread(7)
    assert torch.equal(torch.cat([each["fresh"] for each in found]), alone.weight.detach())
    assert [row for each in found for row in each["rows"]] == list(range(CLASSES))


# --- in one process --------------------------------------------------------------------------------------------------


def test_alone_it_is_the_head():
    embeddings, labels = (torch.cat(each) for each in batch("every class", 1))
    for make in HEADS.values():
        head = sharded(make())
        assert_equal_steps([step(head, embeddings, labels)], plain(make), embeddings, labels, 1e-10)
        assert torch.equal(head.predictions(embeddings), plain(make).predictions(embeddings))


def test_shards_are_all_classes_in_order():
    for classes in (1, 2, 7, 100):
        for ranks in (1, 2, 3, 7):
            shards = [shard(classes, ranks, rank) for rank in range(ranks)]
            assert [row for each in shards for row in each] == list(range(classes))
            assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_prototypes_are_drawn_as_those_of_any_head():
    with torch.device("meta"):
        formula = CosFace(20, 9_000)
    assert formula.weight.is_meta
    head = ShardedHead(formula)
    assert not head.spread_out
    assert list(head.parameters()) == []
    with pytest.raises(RuntimeError, match=r"call spread\(\)"):
        head(torch.zeros(1, 20), torch.tensor([0]))
    head.spread(1)
    first = head.weight.detach().clone()
    head.spread(2)
    assert torch.equal(head.weight, first)
    assert first.std().item() == pytest.approx((2 / 9_020) ** 0.5, rel=0.02)
    assert first.mean().abs() < 1e-3
    assert len(torch.unique(first[:, 0])) > 8_990  # no block is another's copy
    other = ShardedHead(CosFace(20, 9_000))
    other.spread(2)
    assert not torch.equal(other.weight, first)


@pytest.mark.parametrize("make", [Softmax, SphereFace])
def test_heads_of_other_logits_are_refused(make):
    with pytest.raises(ValueError, match="cannot be sharded.*Use CosFace"):
        ShardedHead(make(DIM, CLASSES))


@pytest.mark.parametrize("sample", [0.0, -1.0, 1.1, float("nan")])
def test_a_share_is_a_share(sample):
    with pytest.raises(ValueError, match=r"within \(0, 1\]"):
        ShardedHead(CosFace(DIM, CLASSES), sample=sample)


def test_the_margin_is_the_formulas():
    head = sharded(HEADS["LMCL"]())
    assert head.warms_up
    assert head.num_classes == CLASSES
    head.margin = 0.0
    embeddings, labels = (torch.cat(each) for each in batch("every class", 1))
    nsl = NormalizedSoftmax(DIM, CLASSES, scale=30.0)
    nsl.weight = nn.Parameter(prototypes())
    torch.testing.assert_close(head(embeddings, labels), nsl(embeddings, labels))
    assert not hasattr(sharded(HEADS["NSL"]()), "margin")
    assert "rows=0-10, sample=1.0" in repr(head)


def test_wrong_shapes_are_told():
    head = sharded(HEADS["LMCL"]())
    with pytest.raises(ValueError, match="takes"):
        head(torch.zeros(2, DIM + 1), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match="labels have shape"):
        head(torch.zeros(2, DIM), torch.tensor([0]))
    with pytest.raises(ValueError, match="integer class indices"):
        head(torch.zeros(2, DIM), torch.zeros(2))
    with pytest.raises(ValueError, match="takes"):
        head.predictions(torch.zeros(2, DIM + 1))


def test_a_loss_is_differentiated_once():
    head = sharded(HEADS["LMCL"]())
    loss = head(torch.randn(4, DIM, requires_grad=True), torch.tensor([0, 1, 2, 3]))
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="differentiated once; compute it again"):
        loss.backward()


def test_a_frozen_head_gives_gradients_to_embeddings_alone():
    head = sharded(HEADS["LMCL"]())
    head.requires_grad_(False)
    embeddings = torch.randn(4, DIM, dtype=torch.float64, requires_grad=True)
    head(embeddings, torch.tensor([0, 1, 2, 3])).backward()
    assert embeddings.grad.norm() > 0
    assert head.weight.grad is None
    clip_gradients([embeddings], head.weight, 0.1)
    assert embeddings.grad.norm().item() == pytest.approx(0.1, rel=1e-4)
    clip_gradients([embeddings], head.weight, 5.0)
    assert embeddings.grad.norm().item() == pytest.approx(0.1, rel=1e-4)
