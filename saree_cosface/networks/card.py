"""The card of an embedder: what it is and what it was made of, beside its weights."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saree_cosface.networks.backbone import Preprocessing
from saree_cosface.networks.precision import Precision
from saree_cosface.options import PoolingName

CARD = "embedder.json"
FORMAT = 1


class EmbedderError(ValueError):
    """An embedder's folder cannot be used; the message names the file and the remedy."""


@dataclass(frozen=True)
class EmbedderCard:
    """What an embedder is and what it was made of, beside its weights.

    Attributes:
        backbone: name of the backbone.
        embedding_dim: D.
        dropout: of the neck, in training.
        batch_norm: whether the neck normalises its output over the batch in training.
        unit_features: whether features are brought to one length before the neck.
        pooling: of the backbone's local features: their mean, their second moments, or a transformer's tokens.
        depths: of the backbone whose second moments are taken, the last ones.
        directions: of the channels of each depth that are kept.
        components: principal ones of the features, found on training photos, that the neck maps; 0 for all features.
        precision: in which the backbone was run in training; since then it runs in single precision.
        preprocessing: size, mean and std that belong to the backbone's weights.
        classes: craft ids that it was trained on.
        taxonomy_version: of the craft ids.
        manifest_sha256: fingerprint of the manifest trained on.
        split_hash: of the split that held photos out.
        metrics: scores on held-out photos, by name.
    """

    backbone: str = "lite0"
    embedding_dim: int = 256
    dropout: float = 0.0
    batch_norm: bool = True
    unit_features: bool = True
    pooling: PoolingName = "mean"
    depths: int = 1
    directions: int = 0
    components: int = 0
    precision: Precision = "fp32"
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    taxonomy_version: str = ""
    manifest_sha256: str = ""
    split_hash: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)


def preprocessing_of(card: EmbedderCard, folder: Path) -> Preprocessing | None:
    """What the card says: another version of timm may hold other values for the same network."""
    if not card.preprocessing:
        return None
    try:
        said = dict(card.preprocessing)
        return Preprocessing(**{**said, "mean": tuple(said["mean"]), "std": tuple(said["std"])})
    except (KeyError, TypeError) as error:
        raise EmbedderError(f"{folder / CARD}: its preprocessing is damaged ({error}).") from error


def read_card(path: Path) -> EmbedderCard:
    """Read a card.

    Raises:
        EmbedderError: it is missing, damaged or foreign.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EmbedderError(f"{path}: cannot be read ({error.strerror}); is this the folder of an embedder?") from error
    except ValueError as error:
        raise EmbedderError(f"{path}: damaged ({error}); train again or copy the whole folder.") from error
    if not isinstance(document, dict) or document.pop("format", None) != FORMAT:
        raise EmbedderError(f"{path}: not the card of an embedder of format {FORMAT}.")
    try:
        return EmbedderCard(**{**document, "classes": tuple(document["classes"])})
    except (KeyError, TypeError) as error:
        raise EmbedderError(f"{path}: not the card of an embedder ({error}).") from error
