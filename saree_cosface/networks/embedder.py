"""The embedder: a backbone and a neck that turn a photo into a unit vector, and its folder on disk."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from huggingface_hub import ModelHubMixin, snapshot_download
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from saree_cosface.files import atomic_path, write_json
from saree_cosface.networks.backbones import Backbone, Precision, Preprocessing, autocast, create_backbone, unit

CARD = "embedder.json"
WEIGHTS = "model.safetensors"
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
        precision: in which the backbone was run in training, and is run since.
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
    precision: Precision = "fp32"
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    taxonomy_version: str = ""
    manifest_sha256: str = ""
    split_hash: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)


class Embedder(nn.Module, ModelHubMixin, library_name="saree-cosface", tags=["cosface", "textiles"]):
    """A backbone and a neck (dropout, linear, batch norm).

    ``save_pretrained``, ``from_pretrained`` and ``push_to_hub`` are those of huggingface_hub.

    Attributes:
        card: what it is and was made of.
        backbone: pixels to features.
        neck: features to an embedding before it is scaled to length 1.
    """

    def __init__(self, card: EmbedderCard, backbone: Backbone) -> None:
        super().__init__()
        self.card = card
        self.backbone = backbone
        layers: list[nn.Module] = [nn.Dropout(card.dropout)]
        layers.append(nn.Linear(backbone.num_features, card.embedding_dim, bias=not card.batch_norm))
        if card.batch_norm:
            layers.append(nn.BatchNorm1d(card.embedding_dim))
        self.neck = nn.Sequential(*layers)

    def features(self, pixels: Tensor) -> Tensor:
        """Backbone features of pixels in 0..255, at the card's precision: ``(B, 3, S, S) -> (B, F)``."""
        with autocast(pixels.device.type, self.card.precision):
            features: Tensor = self.backbone(pixels)
        return features

    def raw(self, features: Tensor) -> Tensor:
        """Embeddings before they are scaled to length 1, which is what a head takes: ``(..., F) -> (..., D)``.

        Unless the card says otherwise, features are first brought to one length: how strongly a photo excites a frozen
        backbone says little of its craft. A backbone that starts from nothing learns its lengths itself.
        """
        features = features.float()  # they are kept in half precision
        if self.card.unit_features:
            features = unit(features) * math.sqrt(self.backbone.num_features)
        flat: Tensor = self.neck(features.flatten(0, -2))
        return flat.view(*features.shape[:-1], -1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Unit embeddings of single views: ``(B, 3, S, S) -> (B, D)``."""
        return unit(self.raw(self.features(pixels)))

    def fuse(self, features: Tensor) -> Tensor:
        """One unit embedding a photo, the mean over its views' unit embeddings: ``(N, V, F) -> (N, D)``."""
        return unit(unit(self.raw(features)).mean(dim=1))

    def save(self, folder: Path) -> None:
        """Write card and weights, each all or nothing.

        Raises:
            OSError: the folder cannot be written, or the disk is full.
        """
        folder = Path(folder)
        tensors = {name: value.contiguous() for name, value in self.state_dict().items()}
        with atomic_path(folder / WEIGHTS) as temporary:
            try:
                save_file(tensors, temporary, metadata={"format": "pt"})
            except SafetensorError as error:  # so it calls a full disk
                raise OSError(str(error)) from error
        write_json(folder / CARD, {"format": FORMAT, **asdict(self.card)})

    @classmethod
    def load(cls, folder: Path) -> "Embedder":
        """Read what :meth:`save` wrote, ready for inference. Nothing is unpickled, nothing downloaded.

        Raises:
            EmbedderError: a file is missing, cut short or foreign.
        """
        folder = Path(folder)
        card = _read_card(folder / CARD)
        preprocessing = _preprocessing(card, folder)
        backbone = create_backbone(card.backbone, pretrained=False, preprocessing=preprocessing)
        embedder = cls(replace(card, preprocessing=asdict(backbone.preprocessing)), backbone)
        try:
            embedder.load_state_dict(load_file(folder / WEIGHTS))
        except FileNotFoundError as error:
            raise EmbedderError(f"{folder / WEIGHTS}: no such file; train again or copy the whole folder.") from error
        except Exception as error:  # safetensors' own error is no subclass of OSError or ValueError
            raise EmbedderError(
                f"{folder / WEIGHTS}: cut short, damaged or of another network ({str(error)[:200]}); train again or "
                "copy the whole folder."
            ) from error
        return embedder.eval()

    def _save_pretrained(self, save_directory: Path) -> None:
        self.save(save_directory)

    @classmethod
    def from_pretrained(  # the signature is huggingface_hub's, whose own would look for a config.json first
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        force_download: bool = False,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        revision: str | None = None,
        **_: Any,
    ) -> "Embedder":
        """Load an embedder from a folder, or from a repository of the hub, which is then kept in its cache.

        Raises:
            EmbedderError: as in :meth:`load`.
        """
        if Path(pretrained_model_name_or_path).is_dir():
            return cls.load(Path(pretrained_model_name_or_path))
        folder = snapshot_download(
            str(pretrained_model_name_or_path),
            revision=revision,
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=local_files_only,
            token=token,
            allow_patterns=[CARD, WEIGHTS],
        )
        return cls.load(Path(folder))


def new_embedder(card: EmbedderCard, *, pretrained: bool = True, faces: bool = False) -> Embedder:
    """An untrained neck on a backbone, pretrained or to be learned whole; its preprocessing is noted on the card."""
    backbone = create_backbone(card.backbone, pretrained=pretrained, learns_norms=not pretrained, faces=faces)
    return Embedder(replace(card, preprocessing=asdict(backbone.preprocessing)), backbone)


def _preprocessing(card: EmbedderCard, folder: Path) -> Preprocessing | None:
    """What the card says: another version of timm may hold other values for the same network."""
    if not card.preprocessing:
        return None
    try:
        said = dict(card.preprocessing)
        return Preprocessing(**{**said, "mean": tuple(said["mean"]), "std": tuple(said["std"])})
    except (KeyError, TypeError) as error:
        raise EmbedderError(f"{folder / CARD}: its preprocessing is damaged ({error}).") from error


def _read_card(path: Path) -> EmbedderCard:
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
