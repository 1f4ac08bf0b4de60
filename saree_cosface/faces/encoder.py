"""An encoder of faces, and the embeddings that it makes of folders and packed images."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from saree_cosface.console import track
from saree_cosface.data.images import BadImage
from saree_cosface.data.photos import list_bad
from saree_cosface.faces.datasets import LFW, read_identities
from saree_cosface.faces.embeddings import NamedEmbeddings
from saree_cosface.faces.images import SIZE, crop_face, load_faces
from saree_cosface.faces.pairs import MissingImages, listed
from saree_cosface.networks.embedder import Embedder
from saree_cosface.runs.folder import CONFIG, RunError


def load_encoder(run: Path) -> Embedder:
    """The embedder of a run, on the accelerator that this machine has, if any.

    Raises:
        EmbedderError: there is none, or it is damaged.
    """
    return on_accelerator(Embedder.load(run / "embedder"))


def described(run: Path) -> str:
    """What the encoder of a run is and what it learned from, for people.

    Raises:
        RunError: it is no finished run on faces.
    """
    try:
        options = yaml.safe_load((run / CONFIG).read_text(encoding="utf-8"))
        learned = json.loads((run / "run.json").read_text(encoding="utf-8"))
        model, optim = options["model"], options["optim"]
        budget = f"{optim['steps']:,} steps" if optim["steps"] else f"{optim['epochs']} epochs"
        photos = f"{learned['faces']:,} photos of {learned['people']:,} people"
        return f"{model['backbone']}, D = {model['embedding_dim']}, {options['head']['name']}, {photos}, {budget}"
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise RunError(f"{run}: not a finished run of 'faces train' ({error}).") from error


def on_accelerator(embedder: Embedder) -> Embedder:
    """The embedder where a million faces are embedded fastest: on a GPU, or where it was."""
    if not torch.accelerator.is_available():
        return embedder
    return embedder.to(torch.accelerator.current_accelerator())


def embed_folder(
    embedder: Embedder, folder: Path, *, cache: Path | None = None, allow_missing: bool = True
) -> NamedEmbeddings:
    """Embeddings of all photos of a folder with one sub-folder a person; unusable ones are listed on stderr.

    Raises:
        MissingImages: a photo cannot be read or is no aligned face, and ``allow_missing`` is not set: whoever loses one
            of two photos would turn from somebody sought into a distractor.
    """
    identities = read_identities(folder, data=LFW)
    names = [file.relative_to(folder).as_posix() for file in identities.files]
    embeddings, bad = embed_images(embedder, folder, names, cache=cache)
    bad = identities.bad + bad
    if bad and not allow_missing:
        raise MissingImages(
            f"{folder}: {len(bad)} photos cannot be used: {listed(str(each) for each in bad)}. Mend or remove them, or "
            "leave them out with --allow-missing",
            tuple(str(each.path) for each in bad),
        )
    list_bad(bad)
    return replace(embeddings, source=str(folder))


def embed_images(
    embedder: Embedder, folder: Path, names: Sequence[str], *, cache: Path | None = None
) -> tuple[NamedEmbeddings, tuple[BadImage, ...]]:
    """Embeddings of named images of a folder, and the images that cannot be read."""
    faces = load_faces([folder / name for name in names], cache=cache)
    vectors = embed_faces(embedder, faces.pixels)
    return NamedEmbeddings(tuple(names[row] for row in faces.rows), vectors), faces.bad


def embed_faces(
    embedder: Embedder, pixels: NDArray[np.uint8], *, block: int = 256, description: str | None = "Embedding faces"
) -> NDArray[np.float32]:
    """Features of faces and of their mirror images, side by side: ``(N, H, W, 3) -> (N, 2 D)``.

    Not of length 1: the protocol of the CosFace paper (Section 4.1) concatenates both and takes the cosine of that.
    """
    height, width = SIZE
    device = next(embedder.parameters()).device
    starts: Any = range(0, len(pixels), block)
    parts = []
    with torch.inference_mode():
        for start in track(starts, description) if description else starts:
            crops = np.stack([crop_face(face, (height, width)) for face in pixels[start : start + block]])
            faces = torch.from_numpy(crops).permute(0, 3, 1, 2).to(device)
            both = [embedder.raw(embedder.features(images)) for images in (faces, faces.flip(3))]
            parts.append(torch.cat(both, dim=1).float().cpu().numpy())
    return np.concatenate(parts) if parts else np.zeros((0, 2 * embedder.card.embedding_dim), np.float32)
