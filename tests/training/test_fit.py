import csv
import functools
import math
import os
import shutil
import signal
import time
import warnings
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from torch import nn

from saree_cosface.features.embedding import embed_photos, embed_whole, whole_features
from saree_cosface.heads import ArcFace, CosFace, NormalizedSoftmax, Softmax, SphereFace
from saree_cosface.networks import precision
from saree_cosface.networks.backbone import Preprocessing, unit
from saree_cosface.networks.card import EmbedderCard
from saree_cosface.networks.create import create_backbone
from saree_cosface.networks.embedder import Embedder
from saree_cosface.options import HeadOptions, ModelOptions, OptimOptions, Recipe, ViewOptions
from saree_cosface.training import fit as training
from saree_cosface.training.checkpoint import CHECKPOINT
from saree_cosface.training.fit import fit
from saree_cosface.training.head import make_head
from saree_cosface.training.labelled import Photos
from saree_cosface.training.module import SCORE, LearningModule, TrainingError
from saree_cosface.training.optimiser import freeze, parameter_groups
from saree_cosface.training.whitening import best_shrinkage, start, whitening
from tests.helpers.bad_photos import save, textured

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


@pytest.fixture(autouse=True)
def small_network(monkeypatch):
    """A backbone of untrained weights that looks at views of 32 pixels."""
    preprocessing = Preprocessing(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), False)

    def new_embedder(card, *, pretrained=True):
        assert pretrained
        torch.manual_seed(0)
        backbone = create_backbone(
            "test_resnet",
            pretrained=False,
            preprocessing=preprocessing,
            pooling=card.pooling,
            depths=card.depths,
            directions=card.directions,
        )
        return Embedder(replace(card, preprocessing=asdict(preprocessing)), backbone)

    monkeypatch.setattr(training, "new_embedder", new_embedder)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three kinds of coloured pattern, eight photos each."""
    folder = tmp_path_factory.mktemp("photos")
    files = []
    for seed in range(24):
        pixels = textured(48, 40, seed).astype(int)
        pixels[..., seed % 3] += 150
        files.append(save(folder / f"{seed}.png", pixels.clip(0, 255).astype(np.uint8)))
    names = np.array([f"piece {seed}" for seed in range(24)])
    return Photos(files, np.arange(24) % 3, names, names)


@pytest.fixture(scope="module")
def train(photos):
    return photos.select(np.arange(18))


@pytest.fixture(scope="module")
def held_out(photos):
    return photos.select(np.arange(18, 24))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def optim(recipe, **changes):
    return replace(recipe, optim=replace(recipe.optim, **changes))


def quiet_fit(recipe, train, validation, cache, **options):
    return fit(recipe, train, validation, CLASSES, cache=cache, progress=False, **options)


def weights(fitted):
    return {name: value.clone() for name, value in fitted.embedder.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# --- what is learned -------------------------------------------------------------------------------------------------


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


# --- what is written, and said ---------------------------------------------------------------------------------------


def test_a_folder_holds_history_curves_logs_and_state(train, held_out, cache, tmp_path):
    fitted = quiet_fit(QUICK, train, held_out, cache, folder=tmp_path)
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert float(rows[-1]["train/loss"]) == fitted.history[-1]["train/loss"]
    assert {"epoch", "learning_rate", "train/accuracy", SCORE, "validation/accuracy"} <= set(rows[0])
    assert (tmp_path / "learning_curves.png").read_bytes()[:4] == b"\x89PNG"
    assert list((tmp_path / "tensorboard").rglob("events*"))
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)  # so it holds nothing but tensors and plain values
    assert len(state["history"]) == 4


def test_nothing_goes_to_stdout_and_no_banner_to_stderr(train, held_out, cache, tmp_path, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(QUICK, train, held_out, CLASSES, cache=cache, folder=tmp_path)
    out, err = capfd.readouterr()
    assert out == ""
    for clutter in ("GPU available", "TPU", "Tip:", "weights_only", "litlogger", "Trainer.fit", "num_workers"):
        assert clutter not in err
    assert "Epoch" in err


def test_without_validation_nothing_is_scored(train, cache):
    fitted = quiet_fit(QUICK, train, None, cache)
    assert fitted.best_epoch == 3
    assert SCORE not in fitted.history[0]
    assert fitted.embeddings is None  # of means training sees other views than those of a whole photo


def test_a_loss_that_is_no_number_stops_with_advice(train, cache, tmp_path, monkeypatch):
    forward = CosFace.forward
    monkeypatch.setattr(CosFace, "forward", lambda self, *args: forward(self, *args) * math.nan)
    with pytest.raises(TrainingError, match=r"the loss is nan after epoch 1.*Lower optim\.lr"):
        quiet_fit(QUICK, train, None, cache, folder=tmp_path)
    assert not (tmp_path / CHECKPOINT).exists()


def test_an_interrupt_is_an_interrupt(train, cache, tmp_path, monkeypatch):
    def interrupt(self, batch, index):
        if self.current_epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
        return step(self, batch, index)

    step = LearningModule.training_step
    # Where tests are started in the background, a shell has them ignore interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(LearningModule, "training_step", interrupt)
            with pytest.raises(KeyboardInterrupt):
                quiet_fit(QUICK, train, None, cache, folder=tmp_path)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    resumed = quiet_fit(QUICK, train, None, cache, folder=tmp_path, resume=True)
    assert same(weights(resumed), weights(quiet_fit(QUICK, train, None, cache)))


def test_precision_is_timed_once(monkeypatch):
    timed = []
    monkeypatch.setattr(precision, "_PRECISIONS", {})
    monkeypatch.setattr(precision, "faster_precision", lambda backbone: timed.append(backbone.name) or "bf16")
    assert precision.resolved_precision(ModelOptions(precision="fp32", trainable_stages=1)) == "fp32"
    assert precision.resolved_precision(ModelOptions("resnet18", precision="bf16")) == "fp32"  # for it does not learn
    learning = ModelOptions("resnet18", trainable_stages=1)
    assert [precision.resolved_precision(learning) for _ in range(3)] == ["bf16"] * 3
    assert timed == ["resnet18"]


@pytest.mark.parametrize("margin", [0.35, 0, 2.5])
def test_sphereface_wants_a_whole_margin(margin):
    with pytest.raises(ValueError, match=r"head\.margin is .*whole number, such as 4"):
        make_head(HeadOptions("sphereface", margin=margin), 8, 3)


def test_a_scale_out_of_bounds_is_warned_of(capsys):
    make_head(HeadOptions("cosface", scale=0.5), 8, 3)
    assert "Scale 0.5" in capsys.readouterr().err.replace("\n", " ")
    make_head(HeadOptions("softmax", scale=0.5), 8, 3)
    assert capsys.readouterr().err == ""


# --- interrupted and resumed -----------------------------------------------------------------------------------------


class Killed(Exception):
    pass


RESUMED = [
    (QUICK, True),
    (QUICK, False),
    (optim(QUICK, ema=0.8), True),
    (optim(QUICK, ema=0.8), False),
    (optim(QUICK, epochs=6, patience=2), True),
    (LEARNING, True),
    (optim(LEARNING, ema=0.8), False),
    (MOMENTS, True),
    (LEARNING_MOMENTS, False),
    (replace(QUICK, head=HeadOptions("sphereface", margin=2)), True),
    (replace(QUICK, head=HeadOptions("arcface", 16, 0.3, margin_warmup=0.7)), True),
]


@pytest.fixture(scope="module")
def uninterrupted(train, held_out, cache, tmp_path_factory):
    """Makes each of ``RESUMED`` without an interruption, once: what was fitted, and its folder."""

    @functools.cache
    def made(recipe, validates):
        folder = tmp_path_factory.mktemp("whole")
        return quiet_fit(recipe, train, held_out if validates else None, cache, folder=folder), folder

    return made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "recipe", "validates"),
    [
        (moment, recipe, validates)
        for moment in ("training_step", "on_validation_epoch_end", "finished")
        for recipe, validates in RESUMED
        if validates or moment != "on_validation_epoch_end"
    ],
)
def test_a_resumed_training_ends_with_the_same_weights(
    train, held_out, cache, tmp_path, monkeypatch, uninterrupted, recipe, validates, moment
):
    # Curves take longer to draw than all that is learned here.
    monkeypatch.setattr("saree_cosface.figures.learning_curves.learning_curves", lambda rows, path: path.touch())
    validation = held_out if validates else None
    expected, whole = uninterrupted(recipe, validates)
    folder = tmp_path / "broken"
    if moment == "finished":  # but for what follows the training
        shutil.copytree(whole, folder)
        (folder / "metrics.csv").unlink()
        (folder / "learning_curves.png").unlink()
    else:
        hook = getattr(LearningModule, moment)

        def kill(self, *args):
            result = hook(self, *args)
            if self.current_epoch == 2:
                raise Killed
            return result

        with monkeypatch.context() as patch:
            patch.setattr(LearningModule, moment, kill)
            with pytest.raises(Killed):
                quiet_fit(recipe, train, validation, cache, folder=folder)
    resumed = quiet_fit(recipe, train, validation, cache, folder=folder, resume=True)
    assert same(weights(resumed), weights(expected))
    assert resumed.history == expected.history
    assert resumed.best_epoch == expected.best_epoch
    assert (folder / "metrics.csv").read_text() == (whole / "metrics.csv").read_text()
    assert (folder / "learning_curves.png").is_file()


def test_resuming_without_a_checkpoint_or_from_half_of_one(train, cache, tmp_path):
    for folder in (None, tmp_path):
        with pytest.raises(FileNotFoundError, match="train without --resume"):
            quiet_fit(QUICK, train, None, cache, folder=folder, resume=True)
    quiet_fit(optim(QUICK, epochs=2), train, None, cache, folder=tmp_path)
    state = (tmp_path / CHECKPOINT).read_bytes()
    (tmp_path / CHECKPOINT).write_bytes(state[: len(state) // 2])
    with pytest.raises(TrainingError, match=r"last\.ckpt: damaged.*delete it"):
        quiet_fit(optim(QUICK, epochs=2), train, None, cache, folder=tmp_path, resume=True)
