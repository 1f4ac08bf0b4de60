"""Training an embedder, from options to weights.

``fit`` is the core of ``saree-cosface train`` (see ``saree_cosface.runs.create``), and what ``compare`` and
``calibrate`` call for every fold. The loop itself, which does not care what the images show, is
``saree_cosface.training.loop``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import lightning.pytorch as L
import numpy as np
from numpy.typing import NDArray

from saree_cosface.data.images import BadImage
from saree_cosface.data.views import RandomViews
from saree_cosface.networks.card import EmbedderCard
from saree_cosface.networks.embedder import Embedder, new_embedder
from saree_cosface.networks.precision import resolved_precision
from saree_cosface.options import Recipe
from saree_cosface.training.datamodule import SareeData
from saree_cosface.training.head import make_head
from saree_cosface.training.labelled import Photos
from saree_cosface.training.loop import optimise
from saree_cosface.training.module import LearningModule


@dataclass(frozen=True)
class Fitted:
    """What :func:`fit` made.

    Attributes:
        embedder: in evaluation mode, with the weights of the best epoch (the last, where nothing was validated).
        history: a row an epoch, names and values.
        best_epoch: the epoch, from 0, whose weights these are.
        train: the training photos that could be read.
        embeddings: of these, ``(N, D)``, as :func:`~saree_cosface.features.embedding.embed_whole` makes them; None
            where training has looked at them otherwise.
        bad: the photos that could not.
    """

    embedder: Embedder
    history: list[dict[str, float]]
    best_epoch: int
    train: Photos
    embeddings: NDArray[np.float32] | None
    bad: tuple[BadImage, ...]


def fit(
    recipe: Recipe,
    train: Photos,
    validation: Photos | None,
    classes: Sequence[str],
    *,
    cache: Path,
    workers: int = 0,
    folder: Path | None = None,
    resume: bool = False,
    last_epoch: int | None = None,
    progress: bool = True,
    card: EmbedderCard | None = None,
    devices: int = 1,
    nodes: int = 1,
) -> Fitted:
    """Train an embedder.

    Args:
        recipe: network, views, head, optimisation and seed.
        train: photos to learn from; labels index ``classes``.
        validation: photos of other sources, scored after each epoch; their best epoch's weights are taken.
        classes: craft ids.
        cache: of features or decoded photos.
        workers: data-loading processes (only where the backbone learns).
        folder: for checkpoints, history and logs; nothing is written when None.
        resume: go on from the folder's checkpoint.
        last_epoch: after which it ends, from 0, though learning rates fall as if it went on; None for the recipe's.
        progress: show a bar.
        card: what is already known of the embedder; completed by the recipe.
        devices: as of :func:`saree_cosface.training.loop.optimise`.
        nodes: likewise.

    Raises:
        NoPhotosError: not one photo could be read.
        TrainingError: the loss is no longer a number.
        FileNotFoundError: ``resume`` without a checkpoint.
    """
    L.seed_everything(recipe.seed, verbose=False)
    model = recipe.model
    embedder = new_embedder(
        replace(
            card or EmbedderCard(),
            backbone=model.backbone,
            pooling=model.pooling,
            depths=model.depths if model.pooling == "second_order" else 1,
            directions=model.directions if model.pooling == "second_order" else 0,
            components=model.embedding_dim if recipe.optim.start == "whitened" else 0,
            embedding_dim=model.embedding_dim,
            dropout=model.dropout,
            batch_norm=model.batch_norm,
            precision=resolved_precision(model),
            classes=tuple(classes),
        ),
        pretrained=model.pretrained,
    )
    head = make_head(recipe.head, model.embedding_dim, len(classes), warn=progress)
    module = LearningModule(embedder, head, recipe)
    data = SareeData(
        embedder,
        train,
        validation,
        views=RandomViews(embedder.backbone.preprocessing.size, recipe.views),
        frozen=model.trainable_stages == 0,
        optim=recipe.optim,
        cache=cache,
        workers=workers,
        seed=recipe.seed,
        progress=progress,
    )
    best_epoch = optimise(
        module,
        data,
        validates=validation is not None,
        folder=folder,
        resume=resume,
        last_epoch=last_epoch,
        progress=progress,
        devices=devices,
        nodes=nodes,
    )
    read, embeddings = data.readable("train"), data.embeddings("train")
    return Fitted(embedder, module.history, best_epoch, read, embeddings, tuple(data.bad.values()))
