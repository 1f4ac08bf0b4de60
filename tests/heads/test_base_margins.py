"""What margins and scales change in the logits, and what they leave alone."""

import math

import pytest
import torch
from torch.nn import functional as F

from saree_cosface.heads import (
    ArcFace,
    CosFace,
    LambdaAnnealing,
    LargeMarginSoftmax,
    NormalizedSoftmax,
    SphereFace,
)
from saree_cosface.heads.scale import warmup_margin
from tests.helpers.heads import NO_ANNEALING, batch, every_head, with_angle
from tests.helpers.papers import reference_loss

margin_heads = pytest.mark.parametrize("make", [CosFace, ArcFace, SphereFace, LargeMarginSoftmax])


@pytest.mark.parametrize("make", [CosFace, ArcFace])
def test_margin_zero_is_exactly_nsl(make):
    head, nsl = make(16, 9, scale=20.0, margin=0.0), NormalizedSoftmax(16, 9, scale=20.0)
    nsl.load_state_dict(head.state_dict())
    embeddings, labels = batch(12, 16, 9, torch.float32)
    assert torch.equal(head.logits(embeddings, labels), nsl.logits(embeddings, labels))
    ours, theirs = head(embeddings, labels), nsl(embeddings, labels)
    ours.backward()
    theirs.backward()
    assert torch.equal(ours, theirs)
    assert torch.equal(head.weight.grad, nsl.weight.grad)


def test_sphereface_margin_one_is_the_modified_softmax():
    head = SphereFace(5, 4, margin=1).double()
    embeddings, labels = batch(6, 5, 4)
    expected = F.cross_entropy(embeddings @ F.normalize(head.weight).t(), labels)
    torch.testing.assert_close(head(embeddings, labels), expected)


@every_head
def test_cosines_carry_no_margin_and_no_scale(make):
    head = make(7, 5).double()
    embeddings, _ = batch(9, 7, 5)
    expected = F.cosine_similarity(embeddings[:, None], head.weight[None], dim=2)
    torch.testing.assert_close(head.cosines(embeddings), expected)
    torch.testing.assert_close(head.cosines(embeddings * 1e3), expected)


@margin_heads
def test_the_margin_touches_the_targets_only(make):
    head = make(16, 9).double()
    embeddings, labels = batch(12, 16, 9)
    logits = head.logits(embeddings, labels)
    length = 64.0
    if make in (SphereFace, LargeMarginSoftmax):
        length = embeddings.norm(dim=1, keepdim=True)
    if make is LargeMarginSoftmax:
        length = length * head.weight.norm(dim=1)
    change = logits / length - head.cosines(embeddings)
    targets = F.one_hot(labels, 9).bool()
    assert change[~targets].abs().max() < 1e-12
    assert (change[targets] < 0).all()
    if make is CosFace:
        torch.testing.assert_close(change[targets], torch.full((12,), -0.35, dtype=torch.float64))


@pytest.mark.parametrize(
    "head",
    [
        CosFace(5, 3),
        ArcFace(5, 3, margin=0.3),
        ArcFace(5, 3, margin=1.2),
        SphereFace(5, 3, margin=2, annealing=NO_ANNEALING),
        SphereFace(5, 3, margin=5, annealing=NO_ANNEALING),
        SphereFace(5, 3, margin=4, annealing=NO_ANNEALING, scale=10.0),
        LargeMarginSoftmax(5, 3, margin=4, annealing=NO_ANNEALING),
    ],
    ids=str,
)
def test_the_target_logit_falls_with_the_angle(head):
    head = head.double()
    angles = torch.linspace(0, math.pi, 721)
    embeddings = torch.stack([with_angle(head.weight.detach()[1], theta) for theta in angles.tolist()])
    target = head.logits(embeddings, torch.ones(len(angles), dtype=torch.long))[:, 1].detach()
    assert (target.diff() < 1e-9).all()
    assert target[-1] < target[0]


def test_accuracy_with_the_margin_is_not_accuracy():
    head = CosFace(2, 2, scale=64.0, margin=0.35)
    head.weight.data = torch.eye(2)
    embeddings = torch.tensor([[1.0, 0.9], [0.9, 1.0]])
    labels = torch.tensor([0, 1])
    assert torch.equal(head.cosines(embeddings).argmax(dim=1), labels)
    assert not (head.logits(embeddings, labels).argmax(dim=1) == labels).any()


def test_the_margin_may_be_warmed_up():
    embeddings, labels = batch(6, 8, 3)
    head = CosFace(8, 3, margin=0.35).double()
    nsl = NormalizedSoftmax(8, 3).double()
    nsl.load_state_dict(head.state_dict())
    losses = []
    for step in range(0, 11, 5):
        head.margin = warmup_margin(0.35, step, warmup_steps=10)
        losses.append(head(embeddings, labels).item())
    assert losses[0] == nsl(embeddings, labels).item()
    assert losses[0] < losses[1] < losses[2]
    assert losses[2] == pytest.approx(reference_loss(head, embeddings, labels), abs=1e-6)


@pytest.mark.parametrize("make", [SphereFace, LargeMarginSoftmax])
def test_lambda_anneals_with_training_batches_only(make):
    annealing = LambdaAnnealing(start=100, gamma=1, power=1, minimum=5)
    head = make(8, 3, annealing=annealing).double()
    embeddings, labels = batch(6, 8, 3)
    losses = [head(embeddings, labels).item() for _ in range(4)]
    assert losses == sorted(losses), "the target gets harder as lambda falls"
    assert int(head.step) == 4
    head.eval()(embeddings, labels)
    head.train().logits(embeddings, labels)
    assert int(head.step) == 4
    other = make(8, 3, annealing=annealing).double()
    other.load_state_dict(head.state_dict())
    assert torch.equal(other(embeddings, labels), head(embeddings, labels)), "a resumed head continues its schedule"
    assert [annealing.at(step) for step in (0, 1, 4, 1000)] == [100, 50, 20, 5]


def test_a_margin_widens_the_gap_between_classes():
    """The point of LMCL: trained with a margin, the own cosine leads the best other one by about the margin or more."""
    leads = {}
    for margin in (0.0, 0.35):
        torch.manual_seed(8)
        embeddings = torch.nn.Parameter(torch.randn(60, 8))
        labels = torch.arange(6).repeat(10)
        head = CosFace(8, 6, scale=30.0, margin=margin)
        optimizer = torch.optim.Adam([embeddings, *head.parameters()], lr=0.02)
        for _ in range(200):
            optimizer.zero_grad()
            head(embeddings, labels).backward()
            optimizer.step()
        cosines = head.cosines(embeddings).detach()
        own = cosines.gather(1, labels[:, None])
        others = cosines.scatter(1, labels[:, None], -2.0).max(dim=1, keepdim=True).values
        leads[margin] = (own - others).min().item()
    assert leads[0.35] > max(0.35, leads[0.0] + 0.2)


def test_cosface_without_a_scale_keeps_the_lengths_of_the_embeddings():
    head = CosFace(6, 4, scale=None, margin=0.2).double()
    embeddings = 3 * torch.randn(5, 6, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 3, 0])
    cosines = torch.nn.functional.cosine_similarity(embeddings[:, None], head.weight[None], dim=2)
    cosines[torch.arange(5), labels] -= 0.2
    expected = embeddings.norm(dim=1, keepdim=True) * cosines
    torch.testing.assert_close(head.logits(embeddings, labels), expected, rtol=0, atol=1e-9)
    embeddings.requires_grad_()
    assert torch.autograd.gradcheck(lambda vectors: head(vectors, labels), (embeddings,))
