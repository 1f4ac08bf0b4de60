"""The heads against the papers' formulas, against a peer, and against the traps that heads fall into.

What is particular to one kind of loss stands in ``test_multiplicative.py`` and ``test_distance.py``.
"""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning import losses as peers
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
    Softmax,
    SoftmaxCenter,
    SoftmaxContrastive,
    SphereFace,
)
from saree_cosface.heads.scale import warmup_margin

pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")  # raised inside the peer

NO_ANNEALING = LambdaAnnealing(start=0, minimum=0)


def softmax_center(*shape):
    """With centres somewhere, rather than at the origin where they start."""
    head = SoftmaxCenter(*shape, balance=0.1)
    head.centers.normal_()
    return head


HEADS = {
    "softmax": Softmax,
    "nsl": NormalizedSoftmax,
    "cosface": CosFace,
    "arcface": ArcFace,
    "sphereface": SphereFace,
    "sphereface-3": lambda *shape: SphereFace(*shape, margin=3, annealing=NO_ANNEALING),
    "sphereface-normalized": lambda *shape: SphereFace(*shape, scale=30.0, annealing=NO_ANNEALING),
    "lsoftmax": LargeMarginSoftmax,
    "lsoftmax-2": lambda *shape: LargeMarginSoftmax(*shape, margin=2, annealing=NO_ANNEALING),
    "center": softmax_center,
    "contrastive": SoftmaxContrastive,
}
every_head = pytest.mark.parametrize("make", HEADS.values(), ids=HEADS)
WEIGHTED = {name: make for name, make in HEADS.items() if name != "contrastive"}
weighted_heads = pytest.mark.parametrize("make", WEIGHTED.values(), ids=WEIGHTED)
margin_heads = pytest.mark.parametrize("make", [CosFace, ArcFace, SphereFace, LargeMarginSoftmax])


def reference_loss(head, embeddings, labels):
    """Mean loss in float64, written logit by logit from the papers, with angles."""
    total = 0.0
    prototypes = head.weight.detach().double().numpy()
    for x, label in zip(embeddings.detach().double().numpy(), labels.tolist(), strict=True):
        logits = []
        for j, w in enumerate(prototypes):
            length = np.linalg.norm(x)
            a, b = x / length, w / np.linalg.norm(w)
            theta = 2 * math.atan2(np.linalg.norm(a - b), np.linalg.norm(a + b))
            target = j == label
            match head:
                case Softmax() | SoftmaxCenter() | SoftmaxContrastive():
                    logit = float(x @ w)
                case NormalizedSoftmax():
                    logit = head.scale * math.cos(theta)
                case CosFace():
                    logit = head.scale * (math.cos(theta) - head.margin * target)
                case ArcFace():
                    logit = head.scale * math.cos(theta)
                    if target and theta + head.margin <= math.pi:
                        logit = head.scale * math.cos(theta + head.margin)
                    elif target:
                        logit = head.scale * (math.cos(theta) - head.margin * math.sin(head.margin))
                case SphereFace() | LargeMarginSoftmax():
                    if isinstance(head, LargeMarginSoftmax):
                        length *= np.linalg.norm(w)
                    elif head.scale is not None:
                        length = head.scale
                    logit = length * math.cos(theta)
                    if target:
                        k = min(math.floor(theta * head.margin / math.pi), head.margin - 1)
                        psi = (-1) ** k * math.cos(head.margin * theta) - 2 * k
                        mixed = head.annealing.at(int(head.step))
                        logit = length * (mixed * math.cos(theta) + psi) / (1 + mixed)
            logits.append(logit)
        top = max(logits)
        total += top + math.log(math.fsum(math.exp(logit - top) for logit in logits)) - logits[label]
    return total / len(labels) + reference_companion(head, embeddings.detach().double().numpy(), labels.tolist())


def reference_companion(head, embeddings, labels):
    """The loss beside the cross-entropy."""
    match head:
        case SoftmaxCenter():
            centers = head.centers.double().numpy()
            squares = [np.sum((x - centers[label]) ** 2) for x, label in zip(embeddings, labels, strict=True)]
            return head.balance / 2 * np.mean(squares)
        case SoftmaxContrastive():
            pairs = {True: [], False: []}
            unit = [x / np.linalg.norm(x) for x in embeddings]
            for (a, first), (b, second) in itertools.combinations(zip(unit, labels, strict=True), 2):
                distance = np.linalg.norm(a - b)
                gap = distance if first == second else max(0.0, head.margin - distance)
                pairs[first == second].append(gap**2 / 2)
            return head.balance * sum(np.mean(kind) for kind in pairs.values() if kind)
    return 0.0


def batch(size, dim, classes, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(size, dim, dtype=torch.float64, generator=generator) * 3
    labels = torch.randint(classes, (size,), generator=generator)
    return embeddings.to(dtype), labels


def with_angle(prototype, theta):
    """A vector of length 1.7 at the angle theta from a prototype."""
    unit = F.normalize(prototype, dim=0)
    other = torch.zeros_like(unit)
    other[unit.abs().argmin()] = 1
    side = F.normalize(other - (other @ unit) * unit, dim=0)
    return 1.7 * (math.cos(theta) * unit + math.sin(theta) * side)


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
def test_float32_stays_near_the_reference(make):
    torch.manual_seed(3)
    head = make(64, 50).eval()
    embeddings, labels = batch(32, 64, 50, torch.float32)
    expected = reference_loss(head, embeddings, labels)
    assert head(embeddings, labels).item() == pytest.approx(expected, rel=2e-6, abs=1e-5)


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


@every_head
def test_classes_without_samples(make):
    head = make(8, 6).double().eval()
    embeddings, _ = batch(5, 8, 6)
    labels = torch.tensor([0, 0, 2, 2, 2])
    loss = head(embeddings, labels)
    loss.backward()
    assert loss.item() == pytest.approx(reference_loss(head, embeddings, labels), abs=1e-6)
    assert (head.weight.grad[[1, 3, 4, 5]].norm(dim=1) > 0).all(), "an empty class is still pushed away"


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
