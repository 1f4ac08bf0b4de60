"""What a training learns: of every head, with the margin, the rate and the average that it was asked for."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from saree_cosface.features.embedding import embed_photos, embed_whole, whole_features
from saree_cosface.heads import ArcFace, CosFace, NormalizedSoftmax, Softmax, SphereFace
from saree_cosface.networks import precision
from saree_cosface.networks.backbone import unit
from saree_cosface.networks.card import EmbedderCard
from saree_cosface.options import HeadOptions, ModelOptions
from saree_cosface.training import fit as training
from saree_cosface.training.checkpoint import CHECKPOINT
from saree_cosface.training.fit import fit
from saree_cosface.training.head import make_head
from saree_cosface.training.module import SCORE, LearningModule
from saree_cosface.training.whitening import best_shrinkage, start, whitening
from tests.helpers.trainings import CLASSES, LEARNING, LEARNING_MOMENTS, MOMENTS, QUICK, optim, quiet_fit, same, weights

pytestmark = pytest.mark.usefixtures("small_network")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "margin", "kind"),
    [
        ("cosface", 0.2, CosFace),
        ("nsl", 0.2, NormalizedSoftmax),
        ("softmax", 0.2, Softmax),
        ("arcface", 0.2, ArcFace),
        ("sphereface", 2, SphereFace),
    ],
)
def test_every_head_learns(train, held_out, cache, name, margin, kind):
    recipe = optim(replace(QUICK, head=HeadOptions(name, 16, margin)), epochs=30)
    assert type(make_head(recipe.head, 8, 3)) is kind
    fitted = quiet_fit(recipe, train, held_out, cache)
    losses = [row["train/loss"] for row in fitted.history]
    assert losses[-1] < 0.7 * losses[0] or name == "sphereface"  # whose annealing raises the loss on the way
    assert fitted.history[-1]["train/accuracy"] > 0.8
    assert fitted.history[fitted.best_epoch][SCORE] == max(row[SCORE] for row in fitted.history)
    assert [row["epoch"] for row in fitted.history] == list(range(30))
    assert not fitted.embedder.training
    assert not any(parameter.requires_grad for parameter in fitted.embedder.parameters())
    assert fitted.embedder.card.classes == CLASSES


def test_accuracy_in_training_is_free_of_the_margin(train, cache, monkeypatch):
    # Nothing learns, so what the epoch scored can be worked out from the final weights.
    modules = []
    keep = LearningModule.__init__
    monkeypatch.setattr(LearningModule, "__init__", lambda self, *args: (keep(self, *args), modules.append(self))[0])
    recipe = optim(replace(QUICK, head=HeadOptions("cosface", 16, 0.9)), epochs=1, lr=0.0, batch_size=24)
    recipe = replace(recipe, model=replace(recipe.model, dropout=0.0, batch_norm=False))
    row = quiet_fit(recipe, train, None, cache).history[0]
    module = modules[0]
    loader = module.trainer.datamodule.train_dataloader()
    features, labels = next(iter(loader))
    with torch.no_grad():
        embeddings = module.embedder.raw(features)
        accuracy = (module.head.cosines(embeddings).argmax(dim=1) == labels).float().mean()
        with_margin = (module.head.logits(embeddings, labels).argmax(dim=1) == labels).float().mean()
        loss = module.head(embeddings, labels)
    assert row["train/accuracy"] == pytest.approx(float(accuracy))
    assert row["train/loss"] == pytest.approx(float(loss), rel=1e-5)
    assert accuracy > with_margin


def test_the_margin_grows_over_the_warm_up(train, cache, monkeypatch):
    margins = []
    forward = CosFace.forward
    monkeypatch.setattr(CosFace, "forward", lambda self, *args: (margins.append(self.margin), forward(self, *args))[1])
    recipe = optim(replace(QUICK, head=HeadOptions("cosface", 16, 0.3, margin_warmup=0.5)), epochs=4)
    quiet_fit(recipe, train, None, cache)
    assert len(margins) == 12  # 18 photos in batches of 8, 4 epochs
    assert margins[0] < 0.06
    assert margins == sorted(margins)
    assert margins[6:] == [0.3] * 6


def test_frozen_means_untouched_and_a_learning_stage_leaves_the_others(train, held_out, cache):
    untrained = training.new_embedder(EmbedderCard(embedding_dim=8)).backbone.state_dict()
    frozen = quiet_fit(optim(QUICK, ema=0.9), train, held_out, cache).embedder.backbone.state_dict()
    assert same(frozen, untrained)
    learned = quiet_fit(optim(LEARNING, epochs=2), train, held_out, cache).embedder.backbone
    last = {f"network.{name}" for name in learned.stages()[-1]}
    for name, value in learned.state_dict().items():
        assert torch.equal(value, untrained[name]) == (name not in last), name


def test_the_learning_rate_warms_up_and_falls(train, cache):
    history = quiet_fit(optim(QUICK, epochs=20, warmup=0.2), train, None, cache).history
    rates = [row["learning_rate"] for row in history]
    peak = rates.index(max(rates))
    assert peak in (3, 4)
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert max(rates) <= 1e-2
    assert rates[-1] < 1e-4


@pytest.mark.parametrize("recipe", [MOMENTS, LEARNING_MOMENTS])
def test_directions_and_start_are_found_on_the_training_photos(recipe, train, held_out, cache):
    still = replace(recipe, optim=replace(recipe.optim, lr=0.0, backbone_lr=0.0, epochs=1))
    fitted = fit(still, train, held_out, CLASSES, cache=cache, progress=False)
    found = fitted.embedder
    pooling = found.backbone.pooling
    assert pooling.sizes == (6, 6)
    for depth in range(2):
        basis = getattr(pooling, f"basis{depth}")
        torch.testing.assert_close(basis.T @ basis, torch.eye(6), atol=1e-4, rtol=0)
    alone = fit(still, train, None, CLASSES, cache=cache, progress=False).embedder  # of the same photos
    torch.testing.assert_close(alone.backbone.pooling.basis1, pooling.basis1)
    embeddings = embed_whole(found, train.files).embeddings
    if recipe is MOMENTS:
        np.testing.assert_allclose(fitted.embeddings, embeddings, atol=1e-5)
    else:  # pixels are what has been learned from
        assert fitted.embeddings is None
    moments = whole_features(found.backbone, train.files, cache=None, description=None).features[:, 0]
    features = found.normal(torch.from_numpy(moments)).numpy()
    expected = whitening(features, train.labels, 8, best_shrinkage(features, train.labels, train.sources, 8))
    np.testing.assert_allclose(embeddings, expected(features), atol=5e-3)


def test_prototypes_start_as_the_means_of_the_classes(train, cache):
    embedder = training.new_embedder(EmbedderCard("test_resnet", 8, batch_norm=False, components=8))
    head = CosFace(8, 3)
    features = np.random.default_rng(0).standard_normal((18, embedder.backbone.num_features)).astype(np.float32)
    start(embedder, head, features, train, replace(MOMENTS, optim=replace(MOMENTS.optim, shrinkage=0.2)))
    with torch.inference_mode():
        embeddings = unit(embedder.neck(torch.from_numpy(features)))
    for label in range(3):
        mean = unit(embeddings[train.labels == label].mean(dim=0))
        torch.testing.assert_close(unit(head.weight[label]).detach(), mean, atol=1e-4, rtol=0)


def test_the_moving_average_is_the_model(train, held_out, cache, tmp_path):
    plain = quiet_fit(QUICK, train, None, cache)
    averaged = quiet_fit(optim(QUICK, ema=0.8), train, None, cache, folder=tmp_path / "run")
    assert not same(weights(plain), weights(averaged))
    state = torch.load(tmp_path / "run" / CHECKPOINT, weights_only=True)
    average = state["average"]["tensors"]
    for name, value in averaged.embedder.state_dict().items():
        assert torch.equal(value, average.get(f"embedder.{name}", value)), name
        # Averaging does not disturb the course of the training.
        assert torch.equal(plain.embedder.state_dict()[name], state["state_dict"][f"embedder.{name}"])
    # The validation score is that of the average, not of the last step's weights.
    scored = quiet_fit(optim(QUICK, ema=0.8), train, held_out, cache)
    head = state["average"]["tensors"]["head.weight"]
    prototypes = nn.functional.normalize(head, dim=1).numpy()
    embeddings = embed_photos(averaged.embedder, held_out.files).embeddings
    recalls = [(embeddings[held_out.labels == label] @ prototypes.T).argmax(axis=1) == label for label in range(3)]
    assert scored.history[-1][SCORE] == pytest.approx(np.mean([recall.mean() for recall in recalls]))


def test_patience_stops_and_keeps_the_best_epoch(train, held_out, cache, monkeypatch):
    shuffled = replace(held_out, labels=np.roll(held_out.labels, 1))  # nothing to be won in validation
    fitted = quiet_fit(optim(QUICK, epochs=40, patience=3), train, shuffled, cache)
    assert len(fitted.history) == fitted.best_epoch + 4 < 40
    scores = [row[SCORE] for row in fitted.history]
    assert scores[fitted.best_epoch] == max(scores)
    shorter = quiet_fit(optim(QUICK, epochs=40), train, shuffled, cache)
    assert shorter.history[fitted.best_epoch] == fitted.history[fitted.best_epoch]


def test_a_training_that_ends_early_is_the_beginning_of_the_whole_one(train, held_out, cache):
    whole = quiet_fit(QUICK, train, None, cache)
    early = quiet_fit(QUICK, train, None, cache, last_epoch=1)
    assert early.best_epoch == 1
    assert early.history == whole.history[:2]  # its learning rates too, which fall as if it went on
    scored = quiet_fit(QUICK, train, held_out, cache)
    again = quiet_fit(QUICK, train, None, cache, last_epoch=scored.best_epoch)
    assert same(weights(again), weights(scored))


def test_the_same_seed_gives_the_same_weights(train, held_out, cache):
    first, second = (quiet_fit(QUICK, train, held_out, cache) for _ in range(2))
    assert same(weights(first), weights(second))
    assert first.history == second.history
    other = quiet_fit(replace(QUICK, seed=1), train, held_out, cache)
    assert not same(weights(first), weights(other))


def test_without_validation_nothing_is_scored(train, cache):
    fitted = quiet_fit(QUICK, train, None, cache)
    assert fitted.best_epoch == 3
    assert SCORE not in fitted.history[0]
    assert fitted.embeddings is None  # of means training sees other views than those of a whole photo


def test_precision_is_timed_once(monkeypatch):
    timed = []
    monkeypatch.setattr(precision, "_PRECISIONS", {})
    monkeypatch.setattr(precision, "faster_precision", lambda backbone: timed.append(backbone.name) or "bf16")
    assert precision.resolved_precision(ModelOptions(precision="fp32", trainable_stages=1)) == "fp32"
    assert precision.resolved_precision(ModelOptions("resnet18", precision="bf16")) == "fp32"  # for it does not learn
    learning = ModelOptions("resnet18", trainable_stages=1)
    assert [precision.resolved_precision(learning) for _ in range(3)] == ["bf16"] * 3
    assert timed == ["resnet18"]
