"""What every head is and does: its constructor, labels and weights, that it trains, and what it refuses.

What is particular to one kind of loss stands in ``test_multiplicative.py`` and ``test_distance.py``.
"""

import math

import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from saree_cosface.heads import (
    ArcFace,
    CosFace,
    Head,
    LambdaAnnealing,
    LargeMarginSoftmax,
    NormalizedSoftmax,
    SoftmaxCenter,
    SoftmaxContrastive,
    SphereFace,
)
from tests.helpers.heads import HEADS, batch, every_head
from tests.helpers.papers import reference_loss

WEIGHTED = {name: make for name, make in HEADS.items() if name != "contrastive"}
weighted_heads = pytest.mark.parametrize("make", WEIGHTED.values(), ids=WEIGHTED)


@every_head
def test_shape_of_the_constructor(make):
    head = make(12, 30)
    assert isinstance(head, Head)
    assert head.weight.shape == (30, 12)
    assert (head.embedding_dim, head.num_classes) == (12, 30)
    assert "embedding_dim=12, num_classes=30" in repr(head)
    assert [name for name, _ in head.named_parameters()] == ["weight"], "no bias"


def test_a_seed_fixes_the_prototypes():
    heads = []
    for _ in range(2):
        torch.manual_seed(9)
        heads.append(CosFace(12, 30))
    assert torch.equal(heads[0].weight, heads[1].weight)


@every_head
@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8, torch.int16])
def test_any_integer_labels(make, dtype):
    head = make(4, 3).eval()
    embeddings, labels = batch(5, 4, 3)
    assert torch.equal(head(embeddings, labels.to(dtype)), head(embeddings, labels))


@weighted_heads
def test_sample_weights(make):
    head = make(8, 5).double().eval()
    embeddings, labels = batch(6, 8, 5)
    weight = torch.tensor([1.0, 0, 2, 0, 0, 1])
    each = torch.stack([head(embeddings[i : i + 1], labels[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(head(embeddings, labels, weight), (each * weight).sum() / 4)
    torch.testing.assert_close(head(embeddings, labels, torch.full((6,), 7)), each.mean())
    by_class = torch.rand(5, dtype=torch.float64) + 0.1
    if not isinstance(head, SoftmaxCenter):
        expected = F.cross_entropy(head.logits(embeddings, labels), labels, weight=by_class)
        torch.testing.assert_close(head(embeddings, labels, by_class[labels]), expected)


@every_head
def test_classes_without_samples(make):
    head = make(8, 6).double().eval()
    embeddings, _ = batch(5, 8, 6)
    labels = torch.tensor([0, 0, 2, 2, 2])
    loss = head(embeddings, labels)
    loss.backward()
    assert loss.item() == pytest.approx(reference_loss(head, embeddings, labels), abs=1e-6)
    assert (head.weight.grad[[1, 3, 4, 5]].norm(dim=1) > 0).all(), "an empty class is still pushed away"


class LargeTensors(TorchDispatchMode):
    """Counts the storages of a given shape that operations make."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.kept = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.kept += [leaf for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor) and leaf.shape == self.shape]
        return out

    def count(self):
        return len({tensor.untyped_storage().data_ptr() for tensor in self.kept})


@every_head
def test_makes_no_one_hot_matrix(make):
    head = make(6, 31)
    embeddings, labels = batch(17, 6, 31, torch.float32)
    with LargeTensors((17, 31)) as tensors:
        head(embeddings.requires_grad_(), labels)
    assert tensors.count() == 2, "the logits and their log-softmax, nothing else of size (B, C)"


@every_head
def test_trains(make):
    torch.manual_seed(7)
    centres = F.normalize(torch.randn(5, 16), dim=1)
    labels = torch.arange(5).repeat(20)
    inputs = centres[labels] + 0.15 * torch.randn(100, 16)
    embedder, head = torch.nn.Linear(16, 8), make(8, 5)
    optimizer = torch.optim.Adam([*embedder.parameters(), *head.parameters()], lr=0.03)
    first = head(embedder(inputs), labels).item()
    for _ in range(150):
        optimizer.zero_grad()
        loss = head(embedder(inputs), labels)
        loss.backward()
        optimizer.step()
    cosines = head.cosines(embedder(inputs))
    assert loss.item() < first / 2
    assert (cosines.argmax(dim=1) == labels).float().mean() >= 0.98


@every_head
def test_refuses_wrong_batches(make):
    head = make(4, 3)
    good = torch.randn(2, 4)
    labels = torch.tensor([0, 1])
    for embeddings in (torch.randn(2, 5), torch.randn(4), torch.randn(2, 4, 1)):
        with pytest.raises(ValueError, match=r"embeddings have shape .* takes \(B, 4\)"):
            head(embeddings, labels)
        with pytest.raises(ValueError, match="embedding_dim"):
            head.cosines(embeddings)
    with pytest.raises(ValueError, match="floating-point embeddings"):
        head(torch.ones(2, 4, dtype=torch.long), labels)
    with pytest.raises(ValueError, match=r"label 3 is outside \[0, 3\)"):
        head(good, torch.tensor([0, 3]))
    with pytest.raises(ValueError, match=r"label -1 is outside \[0, 3\)"):
        head(good, torch.tensor([-1, 2]))
    with pytest.raises(ValueError, match="labels have shape"):
        head(good, torch.tensor([0]))
    with pytest.raises(ValueError, match="labels have shape"):
        head(good, torch.tensor([[0], [1]]))
    for wrong in (torch.tensor([0.0, 1.0]), torch.tensor([True, False])):
        with pytest.raises(ValueError, match="integer class indices"):
            head(good, wrong)
    with pytest.raises(ValueError, match="batch is empty"):
        head(torch.randn(0, 4), torch.zeros(0, dtype=torch.long))
    assert head.logits(torch.randn(0, 4), torch.zeros(0, dtype=torch.long)).shape == (0, 3)


@weighted_heads
def test_refuses_wrong_weights(make):
    head = make(4, 3)
    good = torch.randn(2, 4)
    labels = torch.tensor([0, 1])
    with pytest.raises(ValueError, match="weight has shape"):
        head(good, labels, torch.ones(3))
    for wrong in (torch.tensor([-1.0, 2.0]), torch.zeros(2), torch.tensor([math.nan, 1.0])):
        with pytest.raises(ValueError, match="sample weights"):
            head(good, labels, wrong)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: CosFace(0, 3), "embedding_dim is 0"),
        (lambda: CosFace(4, 1), "num_classes is 1"),
        (lambda: CosFace(4, 3, scale=0.0), "scale is 0"),
        (lambda: NormalizedSoftmax(4, 3, scale=math.inf), "scale is inf"),
        (lambda: CosFace(4, 3, margin=-0.1), "margin is -0.1.*cosines"),
        (lambda: CosFace(4, 3, margin=20), r"margin is 20.*cosines.*\[0, 2\]"),
        (lambda: ArcFace(4, 3, margin=28.6), "margin is 28.6.*radians"),
        (lambda: SphereFace(4, 3, margin=0), "margin is 0"),
        (lambda: SphereFace(4, 3, margin=1.5), "margin is 1.5"),
        (lambda: SphereFace(4, 3, scale=-1.0), "scale is -1"),
        (lambda: LargeMarginSoftmax(4, 3, margin=2.5), "margin is 2.5.*integer"),
        (lambda: SoftmaxCenter(4, 3, balance=-1.0), "balance is -1"),
        (lambda: SoftmaxCenter(4, 3, alpha=1.5), r"alpha is 1.5.*\[0, 1\]"),
        (lambda: SoftmaxContrastive(4, 3, balance=math.nan), "balance is nan"),
        (lambda: SoftmaxContrastive(4, 3, margin=3.0), "margin is 3.*distance between unit vectors"),
        (lambda: LambdaAnnealing(start=-1), "negative"),
        (lambda: Head(4, 3), "abstract"),
    ],
)
def test_refuses_wrong_options(build, message):
    with pytest.raises((ValueError, TypeError), match=message):
        build()
