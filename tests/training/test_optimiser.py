"""Which parameters learn, and how fast."""

from dataclasses import replace

import pytest
from torch import nn

from saree_cosface.networks.card import EmbedderCard
from saree_cosface.training import fit as training
from saree_cosface.training.head import make_head
from saree_cosface.training.optimiser import freeze, parameter_groups
from tests.helpers.trainings import LEARNING, optim

pytestmark = pytest.mark.usefixtures("small_network")


def test_parameter_groups():
    recipe = replace(LEARNING, model=replace(LEARNING.model, trainable_stages=2))
    embedder = training.new_embedder(EmbedderCard(embedding_dim=8))
    head = make_head(recipe.head, 8, 3)
    freeze(embedder, 2)
    groups = parameter_groups(embedder, head, recipe)
    of = {id(parameter): group for group in groups for parameter in group["params"]}
    assert len(of) == sum(len(group["params"]) for group in groups)  # none twice
    learning = [parameter for parameter in [*embedder.parameters(), *head.parameters()] if parameter.requires_grad]
    assert set(of) == {id(parameter) for parameter in learning}
    named = dict(embedder.backbone.network.named_parameters())
    stages = embedder.backbone.stages()
    for depth, stage in enumerate([stages[-1], stages[-2]]):
        for name in stage:
            group = of[id(named[name])]
            assert group["lr"] == pytest.approx(1e-3 * 0.7**depth)
            assert group["weight_decay"] == (0.01 if named[name].ndim > 1 else 0.0)
    assert of[id(head.weight)] == of[id(embedder.neck[1].weight)]
    assert of[id(head.weight)]["lr"] == 1e-2
    assert of[id(head.weight)]["weight_decay"] == 0.01
    norm = embedder.neck[2]
    assert isinstance(norm, nn.BatchNorm1d)
    assert of[id(norm.weight)]["weight_decay"] == of[id(norm.bias)]["weight_decay"] == 0.0


def test_muon_moves_the_matrices_of_the_backbone_alone():
    recipe = optim(replace(LEARNING, model=replace(LEARNING.model, trainable_stages=2)), optimizer="muon")
    embedder = training.new_embedder(EmbedderCard(embedding_dim=8))
    head = make_head(recipe.head, 8, 3)
    freeze(embedder, 2)
    groups = parameter_groups(embedder, head, recipe)
    moved = {id(each) for group in groups if not group["use_fallback"] for each in group["params"]}
    backbone = [each for each in embedder.backbone.parameters() if each.requires_grad]
    assert moved == {id(each) for each in backbone if each.ndim > 1}
    assert len(moved) < len(backbone)
    learning = [*backbone, *embedder.neck.parameters(), *head.parameters()]
    assert sum(len(group["params"]) for group in groups) == len(learning)


@pytest.mark.parametrize("stages", [0, 1, 7, 99])
def test_freezing(stages):
    embedder = training.new_embedder(EmbedderCard(embedding_dim=8))
    freeze(embedder, stages)
    learning = sum(parameter.requires_grad for parameter in embedder.backbone.network.parameters())
    every = len(list(embedder.backbone.network.parameters()))
    assert learning == {0: 0, 1: len(embedder.backbone.stages()[-1])}.get(stages, every)
    assert all(parameter.requires_grad for parameter in embedder.neck.parameters())
