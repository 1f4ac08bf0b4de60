"""The bounds of s and m against the paper's numbers and against prototypes that attain them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from saree_cosface.heads import CosFace
from saree_cosface.heads.scale import check, maximum_margin, minimum_scale, warmup_margin


def simplex(classes):
    """C unit vectors in C dimensions with pairwise cosine -1 / (C - 1)."""
    centred = np.eye(classes) - 1 / classes
    return centred / np.linalg.norm(centred, axis=1, keepdims=True)


def test_numbers_of_the_paper():
    assert minimum_scale(40, 0.99) == pytest.approx(8.1, abs=0.05)
    assert minimum_scale(40, 0.99, margin=0.35) == pytest.approx(12.2, abs=0.05)
    classes, posterior = 10_575, 0.9
    equation_6 = (classes - 1) / classes * math.log((classes - 1) * posterior / (1 - posterior))
    assert minimum_scale(classes, posterior) == pytest.approx(equation_6)


@given(classes=st.integers(2, 60), posterior=st.floats(0.6, 0.9999), margin=st.floats(0, 0.9))
def test_at_the_floor_a_simplex_just_reaches_the_posterior(classes, posterior, margin):
    floor = minimum_scale(classes, posterior, margin)
    prototypes = simplex(classes)
    logits = floor * prototypes @ prototypes.T - floor * margin * np.eye(classes)
    reached = np.exp(logits - logits.max(axis=1, keepdims=True))
    reached = np.diag(reached) / reached.sum(axis=1)
    np.testing.assert_allclose(reached, posterior, rtol=1e-9)


@pytest.mark.parametrize("margin", [0.0, 0.35])
def test_the_head_agrees_with_the_floor(margin):
    floor = minimum_scale(13, 0.99, margin)
    prototypes = torch.from_numpy(simplex(13))
    for factor, comparison in ((0.8, 1), (1.0, 0), (1.2, -1)):
        head = CosFace(13, 13, scale=floor * factor, margin=margin).double()
        head.weight.data = prototypes
        excess = head(prototypes, torch.arange(13)).item() + math.log(0.99)
        assert (abs(excess) < 1e-12) if comparison == 0 else (excess * comparison > 0)


def test_no_arrangement_beats_the_simplex_below_the_floor():
    """Below the floor training cannot reach the posterior, whatever the prototypes: the loss is optimised freely."""
    torch.manual_seed(0)
    floor = minimum_scale(6, 0.99, 0.2)
    head = CosFace(8, 6, scale=0.9 * floor, margin=0.2)
    embeddings = torch.nn.Parameter(torch.randn(6, 8))
    optimizer = torch.optim.Adam([embeddings, *head.parameters()], lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        loss = head(embeddings, torch.arange(6))
        loss.backward()
        optimizer.step()
    best = math.log1p(5 * math.exp(-0.9 * floor * (6 / 5 - 0.2)))
    assert loss.item() > -math.log(0.99)
    assert loss.item() == pytest.approx(best, rel=0.02), "and training comes near the best possible"


def test_floor_grows_with_each_argument():
    assert minimum_scale(10, 0.9) < minimum_scale(100, 0.9)
    assert minimum_scale(10, 0.9) < minimum_scale(10, 0.99)
    assert minimum_scale(10, 0.9) < minimum_scale(10, 0.9, margin=0.3)
    assert minimum_scale(10, 0.05) == 0.0


def test_maximum_margin():
    assert maximum_margin(8, 2) == pytest.approx(0.293, abs=5e-4)
    assert maximum_margin(2, 2) == maximum_margin(2, 1) == maximum_margin(2, 512) == 2
    assert maximum_margin(3, 2) == pytest.approx(3 / 2)
    assert maximum_margin(3, 1) == 0
    assert maximum_margin(40, 39) == maximum_margin(40, 512) == maximum_margin(40, 4) == 40 / 39


@given(classes=st.integers(2, 40))
def test_maximum_margin_is_attained(classes):
    circle = np.array(
        [[math.cos(2 * math.pi * i / classes), math.sin(2 * math.pi * i / classes)] for i in range(classes)]
    )
    for prototypes, dim in ((circle, 2), (simplex(classes), max(classes, 3))):
        cosines = prototypes @ prototypes.T - 3 * np.eye(classes)
        assert 1 - cosines.max() == pytest.approx(maximum_margin(classes, dim))


def test_check_is_silent_when_all_is_well():
    assert check(30, 0.35, 40, 512) == []
    assert check(64, 0.35, 10_575, 512) == []
    assert check(64, 0.2, 8, 2) == [], "crowded prototypes need a scale far above the floor of a simplex"


def test_check_warns_of_a_low_scale():
    (warning,) = check(10, 0.35, 40, 512)
    assert "below 12.2" in warning
    assert "raise the scale" in warning
    assert check(12.5, 0.35, 40, 512) == []
    assert check(12.5, 0.35, 40, 512, posterior=0.999) != []


def test_check_warns_of_a_high_scale():
    (warning,) = check(64, 0.35, 13, 128)
    assert "likely to saturate" in warning
    assert "6.6 times" in warning
    assert "between 14 and 29" in warning


def test_check_warns_of_a_large_margin():
    (warning,) = check(64, 0.35, 8, 2)
    assert "at most 0.2929" in warning
    assert "Lower the margin" in warning
    (warning,) = check(30, 1.2, 40, 16)
    assert "less than 1.026" in warning
    assert "raise the embedding dimension" in warning
    assert check(64, 1.05, 20, 8) != []
    assert len(check(30, 0.4, 8, 2)) == 1
    assert len(check(1, 0.4, 8, 2)) == 2, "both the margin and the scale are wrong"


def test_warmup():
    assert [warmup_margin(0.4, step, 4) for step in range(6)] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.4])
    assert warmup_margin(0.4, 0, 0) == 0.4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: minimum_scale(1, 0.9), "num_classes is 1"),
        (lambda: minimum_scale(5, 1.0), "posterior is 1.0"),
        (lambda: minimum_scale(5, 0.0), "posterior is 0.0"),
        (lambda: minimum_scale(5, 0.9, margin=1.25), "margin is 1.25"),
        (lambda: minimum_scale(5, 0.9, margin=-0.1), "margin is -0.1"),
        (lambda: maximum_margin(1, 3), "num_classes is 1"),
        (lambda: maximum_margin(3, 0), "embedding_dim is 0"),
        (lambda: warmup_margin(0.3, -1, 10), "step -1"),
        (lambda: warmup_margin(0.3, 1, -10), "warmup_steps -10"),
    ],
)
def test_refuses_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
