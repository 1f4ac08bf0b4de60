"""The loss in chunks is the loss: value, gradients, memory."""

import pytest
import torch
from torch import nn

from saree_cosface.heads import ArcFace, CosFace, NormalizedSoftmax, Softmax, chunked

HEADS = {
    "LMCL": lambda dim, classes: CosFace(dim, classes, scale=30.0, margin=0.35),
    "LMCL, lengths kept": lambda dim, classes: CosFace(dim, classes, scale=None, margin=0.35),
    "NSL": lambda dim, classes: NormalizedSoftmax(dim, classes, scale=16.0),
    "ArcFace": lambda dim, classes: ArcFace(dim, classes, scale=64.0, margin=0.5),
}


def both(head, embeddings, labels, weight=None, outer=1.0):
    """Loss, and gradients by embeddings and prototypes, by way of the logits and in chunks."""
    found = []
    for head.chunked in (False, True):
        seen = embeddings.detach().clone().requires_grad_()
        head.zero_grad()
        loss = head(seen, labels, weight)
        (loss * outer).backward()
        found.append((loss.detach(), seen.grad, head.weight.grad.clone()))
    return found


@pytest.fixture
def small_blocks(monkeypatch):
    """So that a small batch is many blocks."""
    monkeypatch.setattr(chunked, "_ROWS", 3)
    monkeypatch.setattr(chunked, "_NUMBERS", 1)
    monkeypatch.setattr(chunked, "_CLASSES", 4)


@pytest.mark.parametrize("make", HEADS.values(), ids=list(HEADS))
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("outer", [1.0, 0.25])
def test_loss_and_gradients_are_those_of_the_logits(make, weighted, outer, small_blocks):
    torch.manual_seed(0)
    head = make(16, 11).double()
    labels = torch.randint(11, (20,))
    weight = torch.rand(20) + 0.1 if weighted else None
    one, other = both(head, torch.randn(20, 16, dtype=torch.float64), labels, weight, outer)
    for expected, found in zip(one, other, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("make", HEADS.values(), ids=list(HEADS))
def test_in_single_precision_to_a_hundred_thousandth(make):
    torch.manual_seed(1)
    head = make(64, 500)
    one, other = both(head, 3 * torch.randn(130, 64), torch.randint(500, (130,)))
    for expected, found in zip(one, other, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", HEADS.values(), ids=list(HEADS))
def test_where_nothing_can_be_divided(make):
    """An embedding and a prototype of length 0, one on its prototype, one opposite to it."""
    torch.manual_seed(0)
    head = make(4, 3).double()
    head.weight.data[2] = 0
    embeddings = torch.stack([torch.zeros(4).double(), *(sign * head.weight.data[0] for sign in (1, -1))])
    one, other = both(head, embeddings, torch.tensor([0, 0, 0]))
    for expected, found in zip(one, other, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-9)
        assert found.isfinite().all()


def test_a_share_that_vanishes_costs_no_precision():
    head = CosFace(2, 2, scale=1000.0, margin=0.35)
    head.weight.data = torch.eye(2)
    one, other = both(head, torch.tensor([[1.0, 0.0]]), torch.tensor([1]))
    assert other[0] == one[0] == pytest.approx(1350)


def test_it_is_done_where_it_pays_and_where_it_can(monkeypatch):
    taken = []
    real = chunked.cross_entropy
    monkeypatch.setattr(chunked, "cross_entropy", lambda *given: taken.append(len(given[0])) or real(*given))
    embeddings, labels = torch.randn(32, 8), torch.randint(50, (32,))
    CosFace(8, 50)(embeddings, labels)
    assert taken == []
    monkeypatch.setattr(chunked, "LEAST", 1600)
    CosFace(8, 50)(embeddings, labels)
    Softmax(8, 50)(embeddings, labels)  # which has no unit prototypes
    assert taken == [32]
    off = CosFace(8, 50)
    off.chunked = False
    off(embeddings, labels)
    assert taken == [32]


def test_without_gradients_none_are_computed():
    head = CosFace(8, 50)
    head.chunked = True
    with torch.no_grad():
        assert not head(torch.randn(4, 8), torch.tensor([0, 1, 2, 3])).requires_grad
    head.requires_grad_(False)
    embeddings = torch.randn(4, 8, requires_grad=True)
    head(embeddings, torch.tensor([0, 1, 2, 3])).backward()
    assert embeddings.grad is not None
    assert head.weight.grad is None


def test_a_loss_is_differentiated_once():
    head = CosFace(8, 50)
    head.chunked = True
    loss = head(torch.randn(4, 8, requires_grad=True), torch.tensor([0, 1, 2, 3]))
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="differentiated once; compute it again"):
        loss.backward()


def test_a_network_below_learns_the_same(small_blocks):
    def learned(in_chunks):
        torch.manual_seed(0)
        network, head = nn.Linear(6, 8), CosFace(8, 12)
        head.chunked = in_chunks
        optimiser = torch.optim.SGD([*network.parameters(), *head.parameters()], lr=0.5, momentum=0.9)
        for _ in range(5):
            optimiser.zero_grad()
            head(network(torch.randn(10, 6)), torch.randint(12, (10,))).backward()
            optimiser.step()
        return network.weight.detach()

    torch.testing.assert_close(learned(True), learned(False), rtol=1e-3, atol=1e-4)
