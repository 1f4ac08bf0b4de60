"""The heads against the papers' formulas, against a peer, and their gradients against differences."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning import losses as peers

from saree_cosface.heads import (
    ArcFace,
    CosFace,
    LargeMarginSoftmax,
    SoftmaxContrastive,
    SphereFace,
)
from tests.helpers.heads import HEADS, NO_ANNEALING, batch, every_head, with_angle
from tests.helpers.papers import reference_loss

pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")  # raised inside the peer


@every_head
@pytest.mark.parametrize(("size", "dim", "classes"), [(1, 3, 2), (7, 2, 5), (16, 32, 40)])
def test_agrees_with_the_papers(make, size, dim, classes):
    torch.manual_seed(1)
    head = make(dim, classes).double().eval()
    embeddings, labels = batch(size, dim, classes)
    assert head(embeddings, labels).item() == pytest.approx(reference_loss(head, embeddings, labels), abs=1e-6)


@every_head
@pytest.mark.parametrize(
    "theta", [0.0, 1e-7, 1e-3, 1.0, math.pi / 2, 2.0, 3.0, math.pi - 1e-3, math.pi - 1e-7, math.pi]
)
def test_agrees_with_the_papers_at_every_angle(make, theta):
    torch.manual_seed(2)
    head = make(6, 2).double()
    embeddings = with_angle(head.weight.detach()[1], theta)[None].requires_grad_()
    labels = torch.tensor([1])
    loss = head.eval()(embeddings, labels)
    loss.backward()
    assert loss.item() == pytest.approx(reference_loss(head, embeddings, labels), abs=1e-6)
    # No arccos: the gradient stays of the order of the scale (times m for SphereFace) however near cos = +-1 is.
    assert embeddings.grad.norm() <= 3 * 64
    assert head.weight.grad.norm() <= 3 * 64 / head.weight.norm(dim=1).min()


@settings(max_examples=60)
@given(
    name=st.sampled_from(sorted(HEADS)),
    size=st.integers(1, 6),
    dim=st.integers(1, 9),
    classes=st.integers(2, 7),
    length=st.floats(1e-3, 1e3),
    seed=st.integers(0, 2**31 - 1),
)
def test_agrees_with_the_papers_on_any_shape(name, size, dim, classes, length, seed):
    torch.manual_seed(seed)
    head = HEADS[name](dim, classes).double().eval()
    embeddings, labels = batch(size, dim, classes, seed=seed)
    embeddings *= length
    expected = reference_loss(head, embeddings, labels)
    assert head(embeddings, labels).item() == pytest.approx(expected, rel=1e-9, abs=1e-6)


@settings(max_examples=40)
@given(scale=st.floats(0.1, 200), margin=st.floats(0, 1.5), seed=st.integers(0, 1000))
def test_agrees_with_the_papers_for_any_scale_and_margin(scale, margin, seed):
    torch.manual_seed(seed)
    embeddings, labels = batch(5, 4, 3, seed=seed)
    for head in (CosFace(4, 3, scale=scale, margin=margin), ArcFace(4, 3, scale=scale, margin=margin)):
        expected = reference_loss(head.double(), embeddings, labels)
        assert head(embeddings, labels).item() == pytest.approx(expected, rel=1e-9, abs=1e-6)


@every_head
@pytest.mark.parametrize(("size", "dim", "classes"), [(1, 3, 2), (5, 4, 6)])
def test_gradients(make, size, dim, classes):
    torch.manual_seed(4)
    head = make(dim, classes).double().eval()
    embeddings, labels = batch(size, dim, classes)
    weight = None if isinstance(head, SoftmaxContrastive) else torch.rand(size, dtype=torch.float64)

    def loss(embeddings, prototypes):
        return torch.func.functional_call(head, {"weight": prototypes}, (embeddings, labels, weight))

    assert torch.autograd.gradcheck(loss, (embeddings.requires_grad_(), head.weight.detach().requires_grad_()))
    assert torch.autograd.gradcheck(head.cosines, (embeddings,))


PEERS = {
    "cosface": (CosFace, peers.CosFaceLoss, {"scale": 64.0, "margin": 0.35}, {"scale": 64, "margin": 0.35}),
    "cosface-s30": (CosFace, peers.CosFaceLoss, {"scale": 30.0, "margin": 0.1}, {"scale": 30, "margin": 0.1}),
    "arcface": (ArcFace, peers.ArcFaceLoss, {"scale": 64.0, "margin": 0.5}, {"scale": 64, "margin": math.degrees(0.5)}),
    "sphereface": (SphereFace, peers.SphereFaceLoss, {"margin": 4, "annealing": NO_ANNEALING}, {"margin": 4}),
    "lsoftmax": (LargeMarginSoftmax, peers.LargeMarginSoftmaxLoss, {"annealing": NO_ANNEALING}, {"margin": 4}),
    "lsoftmax-3": (
        LargeMarginSoftmax,
        peers.LargeMarginSoftmaxLoss,
        {"margin": 3, "annealing": NO_ANNEALING},
        {"margin": 3},
    ),
}


@pytest.mark.parametrize(("make", "make_peer", "options", "peer_options"), PEERS.values(), ids=PEERS)
@pytest.mark.parametrize(("size", "dim", "classes"), [(1, 8, 2), (48, 32, 100)])
def test_agrees_with_pytorch_metric_learning(make, make_peer, options, peer_options, size, dim, classes):
    torch.manual_seed(5)
    head = make(dim, classes, **options).double()
    peer = make_peer(num_classes=classes, embedding_size=dim, **peer_options)
    peer.W.data = head.weight.detach().t().clone()
    embeddings, labels = batch(size, dim, classes)
    ours, theirs = embeddings.clone().requires_grad_(), embeddings.clone().requires_grad_()
    loss, peer_loss = head(ours, labels), peer(theirs, labels)
    loss.backward()
    peer_loss.backward()
    assert loss.item() == pytest.approx(peer_loss.item(), abs=1e-5)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(head.weight.grad, peer.W.grad.t(), rtol=1e-5, atol=1e-5)
