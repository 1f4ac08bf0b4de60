"""psi, and the heads whose margin multiplies the angle, where its pieces meet."""

import math

import numpy as np
import pytest
import torch
from pytorch_metric_learning import losses as peers
from torch.nn import functional as F

from saree_cosface.heads import LambdaAnnealing, LargeMarginSoftmax, Softmax, SphereFace, psi

pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")  # raised inside the peer

NO_ANNEALING = LambdaAnnealing(start=0, minimum=0)
margins = pytest.mark.parametrize("margin", [1, 2, 3, 4, 7])


def reference_psi(cosine, margin):
    """As in the papers, with the angle."""
    theta = math.acos(cosine)
    k = min(math.floor(theta * margin / math.pi), margin - 1)
    return (-1) ** k * math.cos(margin * theta) - 2 * k


@margins
def test_psi_agrees_with_the_angle(margin):
    cosines = np.cos(np.linspace(0, math.pi, 1001))
    found = psi(torch.from_numpy(cosines), margin)
    np.testing.assert_allclose(found, [reference_psi(cosine, margin) for cosine in cosines], rtol=0, atol=1e-9)
    single = psi(torch.from_numpy(cosines).float(), margin)
    np.testing.assert_allclose(single, found, rtol=0, atol=1e-4)


@margins
def test_psi_at_its_breakpoints(margin):
    """At theta = k pi / m it is 1 - 2k, whichever piece rounding chooses, and flat in between the pieces."""
    for k in range(margin + 1):
        theta = k * math.pi / margin
        cosine = math.cos(theta)
        around = np.clip([np.nextafter(cosine, -2), cosine, np.nextafter(cosine, 2)], -1, 1)
        for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
            found = psi(torch.tensor(around, dtype=dtype), margin)
            assert (found - (1 - 2 * k)).abs().max() < tolerance
        assert reference_psi(cosine, margin) == pytest.approx(1 - 2 * k, abs=1e-12)
        for side in (-1e-5, 1e-5):
            if 0 < theta + side < math.pi:
                beside = psi(torch.tensor(math.cos(theta + side), dtype=torch.float64), margin)
                assert float(beside) == pytest.approx(1 - 2 * k, abs=(margin * 1e-5) ** 2), "continuous"
                assert (float(beside) - (1 - 2 * k)) * side < 0, "falls through the breakpoint"


@margins
def test_psi_falls_from_one_to_one_minus_two_m(margin):
    breakpoints = np.arange(margin + 1) * math.pi / margin
    near = (breakpoints[:, None] + np.array([-1e-3, -1e-4, 0, 1e-4, 1e-3])).ravel()
    angles = np.unique(np.clip(np.concatenate([np.linspace(0, math.pi, 2001), near]), 0, math.pi))
    values = psi(torch.from_numpy(np.cos(angles)), margin)
    assert (values.diff() < 1e-12).all()
    assert values[0].item() == pytest.approx(1, abs=1e-12)
    assert values[-1].item() == pytest.approx(1 - 2 * margin, abs=1e-12)


@margins
def test_the_slope_of_psi_is_bounded_and_flat_at_the_breakpoints(margin):
    cosine = torch.cos(torch.arange(margin + 1, dtype=torch.float64) * math.pi / margin).requires_grad_()
    psi(cosine, margin).sum().backward()
    expected = torch.zeros(margin + 1, dtype=torch.float64)
    expected[0] = expected[-1] = margin**2  # the derivative of T_m at 1, and of (-1)^(m - 1) T_m at -1
    torch.testing.assert_close(cosine.grad, expected, rtol=0, atol=1e-12)


@margins
@pytest.mark.parametrize("make", [SphereFace, LargeMarginSoftmax])
def test_targets_at_the_breakpoints(make, margin):
    head = make(2, 2, margin=margin, annealing=NO_ANNEALING).double()
    head.weight.data = torch.tensor([[0.0, 0.5], [3.0, 0.0]], dtype=torch.float64)
    k = torch.arange(margin + 1, dtype=torch.float64)
    angles = k * math.pi / margin
    embeddings = 2 * torch.stack([angles.cos(), angles.sin()], dim=1)
    logits = head.logits(embeddings, torch.ones(margin + 1, dtype=torch.long)).detach()
    length, other = (2 * 3, 2 * 0.5) if make is LargeMarginSoftmax else (2, 2)
    torch.testing.assert_close(logits[:, 1], length * (1 - 2 * k), rtol=0, atol=1e-11)
    torch.testing.assert_close(logits[:, 0], other * angles.sin(), rtol=0, atol=1e-11)


def test_annealing_mixes_the_margin_in():
    annealing = LambdaAnnealing(start=3, gamma=0, minimum=0)
    for make in (SphereFace, LargeMarginSoftmax):
        torch.manual_seed(0)
        mixed = make(6, 4, annealing=annealing).double()
        pure, plain = make(6, 4, annealing=NO_ANNEALING).double(), make(6, 4, margin=1).double()
        for head in (pure, plain):
            head.load_state_dict(mixed.state_dict())
        embeddings, labels = torch.randn(9, 6, dtype=torch.float64), torch.arange(9) % 4
        logits = [head.logits(embeddings, labels) for head in (mixed, plain, pure)]
        torch.testing.assert_close(logits[0], (3 * logits[1] + logits[2]) / 4)


def test_the_schedules_of_the_authors():
    mnist = LambdaAnnealing(gamma=2.5e-5, power=35, minimum=0)
    assert [round(mnist.at(step)) for step in (0, 2000, 5000, 30_000)] == [1000, 181, 16, 0]
    assert SphereFace(4, 3).annealing == LargeMarginSoftmax(4, 3).annealing == LambdaAnnealing()


def test_l_softmax_margin_one_is_softmax():
    torch.manual_seed(1)
    head, softmax = LargeMarginSoftmax(5, 4, margin=1).double(), Softmax(5, 4).double()
    softmax.weight.data = head.weight.data
    embeddings, labels = torch.randn(6, 5, dtype=torch.float64), torch.arange(6) % 4
    torch.testing.assert_close(head.logits(embeddings, labels), softmax.logits(embeddings, labels))


def test_a_scale_replaces_the_length_of_the_embeddings():
    torch.manual_seed(2)
    free, scaled = SphereFace(6, 4).double(), SphereFace(6, 4, scale=10.0).double()
    scaled.load_state_dict(free.state_dict())
    embeddings, labels = torch.randn(9, 6, dtype=torch.float64), torch.arange(9) % 4
    expected = free.logits(10 * F.normalize(embeddings), labels)
    torch.testing.assert_close(scaled.logits(embeddings, labels), expected)
    torch.testing.assert_close(scaled.logits(100 * embeddings, labels), expected)


@pytest.mark.parametrize("margin", [2, 3, 4])
def test_normalised_a_softmax_agrees_with_pytorch_metric_learning(margin):
    torch.manual_seed(3)
    head = SphereFace(16, 30, margin=margin, scale=20.0, annealing=NO_ANNEALING).double()
    peer = peers.SphereFaceLoss(num_classes=30, embedding_size=16, margin=margin, scale=20)
    peer.W.data = head.weight.detach().t().clone()
    ours = (torch.randn(40, 16, dtype=torch.float64) * 3).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    labels = torch.randint(30, (40,))
    loss, peer_loss = head(ours, labels), peer(F.normalize(theirs), labels)
    loss.backward()
    peer_loss.backward()
    assert loss.item() == pytest.approx(peer_loss.item(), abs=1e-6)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(head.weight.grad, peer.W.grad.t(), rtol=1e-5, atol=1e-6)
