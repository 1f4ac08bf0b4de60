"""Contrastive, center and triplet loss: pairs, moving centres and running means."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning import losses, miners, reducers
from pytorch_metric_learning.distances import LpDistance
from torch import distributed
from torch.nn import functional as F

from saree_cosface.heads import Head, Softmax, SoftmaxCenter, SoftmaxContrastive, Triplet
from tests.helpers.ranks import joined


def batch(size, dim, classes, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(size, dim, dtype=torch.float64, generator=generator) * 3
    return embeddings.to(dtype), torch.randint(classes, (size,), generator=generator)


def softmax_like(head):
    """Plain softmax with the prototypes of a head."""
    softmax = Softmax(head.embedding_dim, head.num_classes).to(head.weight.dtype)
    softmax.weight.data = head.weight.data
    return softmax


# --- contrastive


class DeepID2Loss(losses.ContrastiveLoss):
    """The peer's pairs with the paper's loss of a pair."""

    def get_per_pair_loss(self, distances, kind):
        return super().get_per_pair_loss(distances, kind).square() / 2


@pytest.mark.parametrize("margin", [0.5, 1.0, 1.6])
@pytest.mark.parametrize(("size", "classes"), [(2, 2), (20, 3), (40, 12)])
def test_contrastive_agrees_with_pytorch_metric_learning(size, classes, margin):
    torch.manual_seed(0)
    head = SoftmaxContrastive(5, classes, margin=margin, balance=0.7).double()
    peer = DeepID2Loss(neg_margin=margin, distance=LpDistance(), reducer=reducers.MeanReducer())
    ours, labels = batch(size, 5, classes)
    theirs = ours.clone().requires_grad_()
    ours.requires_grad_()
    loss = head(ours, labels)
    expected = softmax_like(head)(theirs, labels) + 0.7 * peer(theirs, labels)
    loss.backward()
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-9)
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_contrastive_without_balance_is_softmax():
    head = SoftmaxContrastive(6, 4, balance=0.0).double()
    embeddings, labels = batch(12, 6, 4)
    assert head(embeddings, labels).item() == softmax_like(head)(embeddings, labels).item()


def test_contrastive_is_of_directions():
    """Its part of the loss does not change with the length of the embeddings."""
    head = SoftmaxContrastive(6, 4).double()
    embeddings, labels = batch(12, 6, 4)
    parts = [
        (head(scale * embeddings, labels) - softmax_like(head)(scale * embeddings, labels)).item()
        for scale in (1.0, 0.01, 20.0)
    ]
    assert parts[0] > 0.1
    assert parts == pytest.approx([parts[0]] * 3, rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_contrastive_where_embeddings_coincide(dtype):
    """Distance 0: a pair of two classes costs m^2 / 2 and has a finite gradient, which pulls in no direction."""
    head = SoftmaxContrastive(3, 2, margin=1.0, balance=1.0).to(dtype)
    embeddings = torch.tensor([[1.0, 2.0, 3.0]] * 2, dtype=dtype).requires_grad_()
    for labels, expected in ((torch.tensor([0, 1]), 0.5), (torch.tensor([1, 1]), 0.0)):
        loss = head(embeddings, labels)
        plain = softmax_like(head)(embeddings, labels)
        assert loss.item() - plain.item() == pytest.approx(expected, abs=1e-6)
        found = torch.autograd.grad(loss, embeddings)[0]
        torch.testing.assert_close(found, torch.autograd.grad(plain, embeddings)[0])


def test_contrastive_of_opposite_embeddings():
    head = SoftmaxContrastive(3, 2).double()
    embeddings = torch.tensor([[1.0, 0, 0], [-2, 0, 0]], dtype=torch.float64)
    for labels, expected in ((torch.tensor([0, 1]), 0.0), (torch.tensor([1, 1]), 2.0)):
        extra = head(embeddings, labels) - softmax_like(head)(embeddings, labels)
        assert extra.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("make", "name"), [(SoftmaxContrastive, "SoftmaxContrastive"), (Triplet, "Triplet")])
def test_losses_of_pairs_refuse_sample_weights(make, name):
    embeddings, labels = batch(6, 4, 3)
    with pytest.raises(ValueError, match=f"{name} takes no sample weights"):
        make(4, 3)(embeddings, labels, torch.ones(6))


# --- center


def test_center_defaults_are_the_papers():
    head = SoftmaxCenter(4, 3)
    assert (head.balance, head.alpha) == (0.003, 0.5)
    assert torch.equal(head.centers, torch.zeros(3, 4))


def test_centers_move_by_the_papers_rule():
    head = SoftmaxCenter(2, 3, balance=2.0, alpha=0.5).double()
    start = torch.tensor([[1.0, 1.0], [0.0, 0.0], [5.0, 5.0]], dtype=torch.float64)
    head.centers.copy_(start)
    embeddings = torch.tensor([[3.0, 1.0], [1.0, 5.0], [3.0, 0.0]], dtype=torch.float64)
    labels = torch.tensor([0, 0, 1])
    loss = head(embeddings, labels)
    # Squared distances 4, 16 and 9 to the centres as they were before the step.
    assert loss.item() - softmax_like(head)(embeddings, labels).item() == pytest.approx(29 / 3)
    # Class 0: sum of c - x is (-2, -4), over 1 + 2; class 1: (-3, 0), over 1 + 1; class 2 is absent.
    expected = start + torch.tensor([[0.5 * 2 / 3, 0.5 * 4 / 3], [0.5 * 3 / 2, 0], [0, 0]], dtype=torch.float64)
    torch.testing.assert_close(head.centers, expected)


def test_center_gradient_ignores_the_move():
    head = SoftmaxCenter(5, 3, balance=0.4).double()
    head.centers.normal_()
    before = head.centers.clone()
    embeddings, labels = batch(8, 5, 3)
    embeddings.requires_grad_()
    found = torch.autograd.grad(head(embeddings, labels), embeddings)[0]
    plain = torch.autograd.grad(softmax_like(head)(embeddings, labels), embeddings)[0]
    torch.testing.assert_close(found - plain, 0.4 * (embeddings.detach() - before[labels]) / 8)
    assert not torch.equal(head.centers, before)
    assert not head.centers.requires_grad


def test_centers_of_repeated_batches_reach_the_class_means():
    head = SoftmaxCenter(5, 3)
    embeddings, labels = batch(30, 5, 3, dtype=torch.float32)
    for _ in range(60):
        head(embeddings, labels)
    means = torch.stack([embeddings[labels == label].mean(dim=0) for label in range(3)])
    torch.testing.assert_close(head.centers, means, rtol=1e-4, atol=1e-4)


def test_weights_count_relative_to_their_mean():
    embeddings, labels = batch(6, 4, 3)
    moved = []
    for weight in (None, torch.full((6,), 7), torch.tensor([2.0, 0, 1, 1, 0, 2]).double()):
        head = SoftmaxCenter(4, 3).double()
        head(embeddings, labels, weight)
        moved.append(head.centers)
    torch.testing.assert_close(moved[0], moved[1])
    expected = torch.zeros(3, 4, dtype=torch.float64)
    for label in range(3):
        chosen = labels == label
        expected[label] = 0.5 * (weight[chosen] @ embeddings[chosen]) / (1 + weight[chosen].sum())
    torch.testing.assert_close(moved[2], expected)


# --- triplet


def reference_triplet(embeddings, labels, margin):
    """Mean loss of the semi-hard triplets in float64, written triplet by triplet from the paper."""
    unit = [x / np.linalg.norm(x) for x in embeddings.detach().double().numpy()]
    found = []
    for a, p, n in itertools.permutations(range(len(unit)), 3):
        if labels[a] == labels[p] != labels[n]:
            to_positive, to_negative = np.sum((unit[a] - unit[p]) ** 2), np.sum((unit[a] - unit[n]) ** 2)
            if to_positive < to_negative < to_positive + margin:
                found.append(to_positive - to_negative + margin)
    return np.mean(found) if found else 0.0


@settings(max_examples=60)
@given(
    size=st.integers(1, 9),
    dim=st.integers(2, 8),
    classes=st.integers(2, 5),
    margin=st.sampled_from([0.05, 0.2, 1.0]),
    seed=st.integers(0, 2**31 - 1),
)
def test_triplet_agrees_with_the_paper(size, dim, classes, margin, seed):
    embeddings, labels = batch(size, dim, classes, seed)
    found = Triplet(dim, classes, margin=margin)(embeddings, labels)
    assert found.item() == pytest.approx(reference_triplet(embeddings, labels, margin), abs=1e-6)


@pytest.mark.parametrize(("size", "dim", "classes"), [(40, 3, 4), (64, 32, 16)])
@pytest.mark.parametrize("margin", [0.2, 0.5])
def test_triplet_agrees_with_pytorch_metric_learning(size, dim, classes, margin):
    squared = LpDistance(power=2)
    miner = miners.TripletMarginMiner(margin=margin, type_of_triplets="semihard", distance=squared)
    peer = losses.TripletMarginLoss(margin=margin, distance=squared)
    ours, labels = batch(size, dim, classes)
    theirs = ours.clone().requires_grad_()
    ours.requires_grad_()
    loss, expected = Triplet(dim, classes, margin=margin)(ours, labels), peer(theirs, labels, miner(theirs, labels))
    loss.backward()
    expected.backward()
    assert loss.item() > 0
    assert loss.item() == pytest.approx(expected.item(), abs=1e-9)
    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize(
    "labels",
    [[0], [0, 1, 2], [1, 1, 1], [0, 0, 1]],
    ids=["one sample", "no class twice", "one class", "classes well apart"],
)
def test_triplet_without_a_semi_hard_triplet_is_zero(labels):
    embeddings = torch.tensor([[1.0, 0, 0], [2.0, 0, 0], [0, 1.0, 0]])[: len(labels)].requires_grad_()
    loss = Triplet(3, 3)(embeddings, torch.tensor(labels))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(embeddings.grad, torch.zeros_like(embeddings))


@pytest.mark.parametrize(("size", "classes"), [(2, 2), (9, 2), (12, 4)])
def test_triplet_gradients(size, classes):
    embeddings, labels = batch(size, 4, classes)
    head = Triplet(4, classes).double().eval()
    assert torch.autograd.gradcheck(lambda x: head(x, labels), embeddings.requires_grad_())
    assert torch.autograd.gradcheck(head.train().cosines, embeddings)


def test_triplet_precision():
    torch.manual_seed(1)
    embeddings, labels = batch(32, 16, 8, dtype=torch.float32)
    head = Triplet(16, 8)
    expected = reference_triplet(embeddings, labels, 0.2)
    assert expected > 0.05
    loss = head(embeddings, labels)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected, abs=1e-5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(head(embeddings, labels), loss)
        assert head.logits(embeddings, labels).dtype == head.cosines(embeddings).dtype == torch.float32
    for dtype in (torch.bfloat16, torch.float16):
        assert head(embeddings.to(dtype), labels).dtype == torch.float32
    assert head(embeddings.double(), labels).dtype == torch.float64
    assert head.double()(embeddings, labels).dtype == torch.float64


def test_triplet_of_extreme_embeddings():
    """Zero, identical and opposite embeddings give finite gradients, of the order of one over their length."""
    embeddings = torch.tensor([[0.0, 0], [1, 1], [1, 1], [-1, -1], [1e-30, 0], [3, 0]], requires_grad=True)
    for labels in itertools.product(range(2), repeat=6):
        loss = Triplet(2, 2, margin=1.0)(embeddings, torch.tensor(labels))
        gradient = torch.autograd.grad(loss, embeddings)[0]
        assert math.isfinite(loss.item())
        assert gradient.norm(dim=1).max() < 10


def test_triplet_prototypes_are_running_means():
    head = Triplet(2, 3)
    assert torch.equal(head.cosines(torch.ones(1, 2)), torch.zeros(1, 3)), "nothing was seen yet"
    embeddings = torch.tensor([[3.0, 0.0], [0.0, 2.0], [0.0, -5.0]])
    head(embeddings, torch.tensor([0, 0, 2]))
    torch.testing.assert_close(head.weight, torch.tensor([[0.05, 0.05], [0, 0], [0, -0.1]]))
    torch.testing.assert_close(F.normalize(head.weight)[0], torch.full((2,), math.sqrt(0.5)))
    head(embeddings[:1], torch.tensor([2]))
    torch.testing.assert_close(head.weight, torch.tensor([[0.05, 0.05], [0, 0], [0.1, -0.09]]))
    before = head.weight.clone()
    head.eval()(embeddings, torch.tensor([1, 1, 1]))
    head.train().logits(embeddings, torch.tensor([1, 1, 1]))
    assert torch.equal(head.weight, before), "only a forward pass in training mode moves them"


def test_triplet_has_nothing_for_an_optimizer():
    head = Triplet(4, 3)
    assert isinstance(head, Head)
    assert list(head.parameters()) == []
    assert not head.weight.requires_grad
    assert list(head.state_dict()) == ["weight"]
    assert "embedding_dim=4, num_classes=3, margin=0.2" in repr(head)


def test_triplet_refuses_wrong_batches():
    head = Triplet(4, 3)
    with pytest.raises(ValueError, match=r"embeddings have shape .* takes \(B, 4\)"):
        head(torch.randn(2, 5), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=r"label 3 is outside \[0, 3\)"):
        head(torch.randn(2, 4), torch.tensor([0, 3]))
    with pytest.raises(ValueError, match="integer class indices"):
        head(torch.randn(2, 4), torch.tensor([0.0, 1.0]))
    with pytest.raises(ValueError, match="batch is empty"):
        head(torch.randn(0, 4), torch.zeros(0, dtype=torch.long))
    for margin, message in ((0.0, "no triplet is semi-hard"), (-1.0, "squared distances"), (5.0, r"\[0, 4\]")):
        with pytest.raises(ValueError, match=message):
            Triplet(4, 3, margin=margin)


def test_triplet_trains():
    """A nonlinear embedder learns two classes that no linear one separates, and the cosines tell."""
    torch.manual_seed(0)
    inputs = torch.randn(64, 2).sign() * (0.5 + torch.rand(64, 2))
    labels = (inputs.prod(dim=1) > 0).long()
    embedder = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.ReLU(), torch.nn.Linear(32, 4))
    head = Triplet(4, 2)
    optimizer = torch.optim.Adam([*embedder.parameters(), *head.parameters()], lr=0.01)
    accuracies = []
    for _ in range(100):
        optimizer.zero_grad()
        embeddings = embedder(inputs)
        head(embeddings, labels).backward()
        optimizer.step()
        accuracies.append((head.cosines(embeddings).argmax(dim=1) == labels).float().mean().item())
    assert accuracies[0] < 0.8
    assert accuracies[-1] == 1


# --- what both keep


@pytest.mark.parametrize(("make", "name"), [(SoftmaxCenter, "centers"), (Triplet, "weight")])
def test_what_is_learned_without_a_gradient_is_resumed(make, name):
    first, second = batch(12, 4, 3, seed=1), batch(12, 4, 3, seed=2)
    head = make(4, 3).double()
    head(*first)
    resumed = make(4, 3).double()
    resumed.load_state_dict(head.state_dict())
    assert head(*second).item() == resumed(*second).item()
    assert torch.equal(getattr(head, name), getattr(resumed, name))
    assert getattr(head, name).abs().sum() > 0
    head.eval()(*first)
    head.train().logits(*first)
    assert torch.equal(getattr(head, name), getattr(resumed, name)), "only a forward pass in training mode moves them"


def _share(embeddings, labels):
    """What one of two processes does; the second has the larger part of the batch."""
    rows = slice(0, 5) if distributed.get_rank() == 0 else slice(5, None)
    kept = {}
    for make, name in ((SoftmaxCenter, "centers"), (Triplet, "weight")):
        head = make(4, 3).double()
        head(embeddings[rows], labels[rows])
        kept[name] = getattr(head, name).detach()
    return kept


@pytest.mark.slow
def test_processes_agree(tmp_path):
    """Two processes with parts of a batch keep what one process with the whole batch keeps."""
    embeddings, labels = batch(14, 4, 3)
    shares = joined(_share, 2, tmp_path / "ranks", embeddings, labels)
    for make, name in ((SoftmaxCenter, "centers"), (Triplet, "weight")):
        whole = make(4, 3).double()
        whole(embeddings, labels)
        for share in shares:
            torch.testing.assert_close(share[name], getattr(whole, name).detach())
