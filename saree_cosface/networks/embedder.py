"""The embedder: a backbone and a neck that turn a photo into a unit vector, and its folder on disk."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from huggingface_hub import ModelHubMixin, snapshot_download
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from saree_cosface.files import atomic_path, write_json
from saree_cosface.networks.backbone import Backbone, unit
from saree_cosface.networks.card import CARD, FORMAT, EmbedderCard, EmbedderError, preprocessing_of, read_card
from saree_cosface.networks.create import create_backbone
from saree_cosface.networks.precision import autocast
from saree_cosface.networks.together import BatchNorm1d, Dropout

WEIGHTS = "model.safetensors"


class Embedder(nn.Module, ModelHubMixin, library_name="saree-cosface", tags=["cosface", "textiles"]):
    """A backbone and a neck (see :func:`new_neck`).

    ``save_pretrained``, ``from_pretrained`` and ``push_to_hub`` are those of huggingface_hub.

    Attributes:
        card: what it is and was made of.
        backbone: pixels to features.
        neck: features to an embedding before it is scaled to length 1.

    >>> import torch
    >>> embedder = Embedder(EmbedderCard(embedding_dim=64), create_backbone("lite0", pretrained=False)).eval()
    >>> vectors = embedder(torch.zeros(2, 3, 224, 224))
    >>> vectors.shape, vectors.norm(dim=1).round(decimals=3).tolist()
    (torch.Size([2, 64]), [1.0, 1.0])
    """

    def __init__(self, card: EmbedderCard, backbone: Backbone) -> None:
        super().__init__()
        self.card = card
        self.backbone = backbone
        self.neck = new_neck(card, backbone.num_features)

    def features(self, pixels: Tensor) -> Tensor:
        """Backbone features of pixels in 0..255, in training at the card's precision: ``(B, 3, S, S) -> (B, F)``."""
        with autocast(pixels.device.type, self.card.precision if self.training else "fp32"):
            features: Tensor = self.backbone(pixels)
        return features

    def raw(self, features: Tensor) -> Tensor:
        """Embeddings before they are scaled to length 1, which is what a head takes: ``(..., F) -> (..., D)``.

        Unless the card says otherwise, features are first brought to one length; a backbone that starts from nothing
        learns its lengths itself.
        """
        embeddings: Tensor = self.neck(self.normal(features.flatten(0, -2)))
        return embeddings.view(*features.shape[:-1], -1)

    def normal(self, features: Tensor) -> Tensor:
        """Features as the neck takes them, see :meth:`raw`: ``(N, F) -> (N, F)``, in single precision."""
        return self.backbone.normal(features) if self.card.unit_features else features.float()

    def forward(self, pixels: Tensor) -> Tensor:
        """Unit embeddings of single views: ``(B, 3, S, S) -> (B, D)``."""
        return unit(self.raw(self.features(pixels)))

    def fuse(self, features: Tensor) -> Tensor:
        """One unit embedding a photo: ``(N, V, F) -> (N, D)``.

        The mean over its views' unit embeddings; second moments of views add up to that of the photo instead.
        """
        if self.backbone.pooling is not None:
            features = features.float().mean(dim=1, keepdim=True)
        return self.fuse_normal(self.normal(features.flatten(0, 1)).view(features.shape))

    def fuse_normal(self, features: Tensor) -> Tensor:
        """The same of features as the neck takes them."""
        raw: Tensor = self.neck(features.flatten(0, 1))
        return unit(unit(raw.view(*features.shape[:2], -1)).mean(dim=1))

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
        card = read_card(folder / CARD)
        preprocessing = preprocessing_of(card, folder)
        backbone = create_backbone(
            card.backbone,
            pretrained=False,
            preprocessing=preprocessing,
            pooling=card.pooling,
            depths=card.depths,
            directions=card.directions,
        )
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
    backbone = create_backbone(
        card.backbone,
        pretrained=pretrained,
        learns_norms=not pretrained,
        faces=faces,
        pooling=card.pooling,
        depths=card.depths,
        directions=card.directions,
    )
    return Embedder(replace(card, preprocessing=asdict(backbone.preprocessing)), backbone)


def new_neck(card: EmbedderCard, num_features: int) -> nn.Sequential:
    """What makes embeddings of features, ``(N, F) -> (N, D)``: dropout, a linear layer and, if wished, a batch norm.

    Where there are components, a linear layer before these gives them, which does not learn.
    """
    layers: list[nn.Module] = []
    if card.components:
        layers.append(nn.Linear(num_features, card.components).requires_grad_(False))
    layers.append(Dropout(card.dropout))
    layers.append(nn.Linear(card.components or num_features, card.embedding_dim, bias=not card.batch_norm))
    if card.batch_norm:
        layers.append(BatchNorm1d(card.embedding_dim))
    return nn.Sequential(*layers)
