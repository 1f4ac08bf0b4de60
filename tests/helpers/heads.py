"""Every head by its name, and batches for them."""

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
    Softmax,
    SoftmaxCenter,
    SoftmaxContrastive,
    SphereFace,
)

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
