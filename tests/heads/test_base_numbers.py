"""Numbers that heads stumble over: float32 and half precision, zeros, and vectors that are alike or opposite."""

import pytest
import torch

from tests.helpers.heads import batch, every_head
from tests.helpers.papers import reference_loss


@every_head
def test_float32_stays_near_the_reference(make):
    torch.manual_seed(3)
    head = make(64, 50).eval()
    embeddings, labels = batch(32, 64, 50, torch.float32)
    expected = reference_loss(head, embeddings, labels)
    assert head(embeddings, labels).item() == pytest.approx(expected, rel=2e-6, abs=1e-5)


@every_head
def test_zero_embeddings_and_prototypes_are_harmless(make):
    head = make(4, 3)
    head.weight.data[2] = 0
    embeddings = torch.tensor([[0.0, 0, 0, 0], [1, 2, 3, 4], [1e-30, 0, 0, 0]], requires_grad=True)
    loss = head(embeddings, torch.tensor([0, 2, 1]))
    loss.backward()
    for value in (loss, embeddings.grad, head.weight.grad):
        assert torch.isfinite(value).all()
    assert embeddings.grad.norm(dim=1).max() < 1000, "a zero embedding must not send 1 / epsilon into the backbone"
    assert torch.equal(head.cosines(embeddings)[0], torch.zeros(3))


@every_head
def test_identical_and_opposite_vectors_in_float32(make):
    torch.manual_seed(6)
    head = make(128, 4)
    embeddings = torch.cat([head.weight.detach(), -head.weight.detach()]).requires_grad_()
    labels = torch.arange(4).repeat(2)
    loss = head.eval()(embeddings, labels)
    loss.backward()
    assert torch.isfinite(embeddings.grad).all()
    assert loss.item() == pytest.approx(reference_loss(head, embeddings, labels), rel=1e-5)
    assert head.cosines(embeddings).abs().max() <= 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@every_head
def test_half_precision_embeddings_are_lifted(make, dtype):
    head = make(32, 10).eval()
    embeddings, labels = batch(6, 32, 10, dtype)
    embeddings.requires_grad_()
    loss = head(embeddings, labels)
    loss.backward()
    assert loss.dtype == head.cosines(embeddings).dtype == head.logits(embeddings, labels).dtype == torch.float32
    assert torch.equal(loss, head(embeddings.detach().float(), labels))
    assert embeddings.grad.dtype == dtype
    assert torch.isfinite(embeddings.grad).all()


@every_head
def test_autocast_changes_nothing(make):
    head = make(32, 10).eval()
    embeddings, labels = batch(6, 32, 10, torch.float32)
    expected = head(embeddings, labels), head.logits(embeddings, labels), head.cosines(embeddings)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.mm(embeddings, embeddings.t()).dtype == torch.bfloat16
        found = head(embeddings, labels), head.logits(embeddings, labels), head.cosines(embeddings)
    for one, other in zip(expected, found, strict=True):
        assert other.dtype == torch.float32
        assert torch.equal(one, other)


@every_head
def test_mixed_precisions_take_the_larger(make):
    embeddings, labels = batch(6, 8, 3)
    assert make(8, 3)(embeddings, labels).dtype == torch.float64
    assert make(8, 3).double()(embeddings.float(), labels).dtype == torch.float64
    assert make(8, 3).bfloat16()(embeddings.bfloat16(), labels).dtype == torch.float32
