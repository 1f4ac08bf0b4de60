"""Trainings of seconds: their recipes, and what is asked of them."""

from dataclasses import replace

import torch

from saree_cosface.options import HeadOptions, ModelOptions, OptimOptions, Recipe, ViewOptions
from saree_cosface.training.fit import fit

CLASSES = ("chanderi", "jamdani", "kasavu")
QUICK = Recipe(
    ModelOptions(embedding_dim=8, precision="fp32", dropout=0.2),
    ViewOptions(random=1),
    HeadOptions(scale=16, margin=0.2),
    OptimOptions(epochs=4, batch_size=8, lr=1e-2, backbone_lr=1e-3),
)
LEARNING = replace(QUICK, model=replace(QUICK.model, trainable_stages=1))
MOMENTS = replace(
    QUICK,
    model=replace(QUICK.model, pooling="second_order", depths=2, directions=6, batch_norm=False),
    views=ViewOptions(),
    optim=replace(QUICK.optim, start="whitened", lr=1e-3),
)
"""Second moments, from the whitened start."""
LEARNING_MOMENTS = replace(MOMENTS, model=replace(MOMENTS.model, trainable_stages=1))


def optim(recipe, **changes):
    return replace(recipe, optim=replace(recipe.optim, **changes))


def quiet_fit(recipe, train, validation, cache, **options):
    return fit(recipe, train, validation, CLASSES, cache=cache, progress=False, **options)


def weights(fitted):
    return {name: value.clone() for name, value in fitted.embedder.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
