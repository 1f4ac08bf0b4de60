"""From files to features: decode, cut views, run the network, and remember the result.

A photo's features under a frozen backbone never change, so they are kept on disk by the photo's content: the second
training, fold, seed or evaluation reads them instead of decoding and computing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from saree_cosface.console import track
from saree_cosface.data.images import BadImage
from saree_cosface.data.views import BRIEF, Views
from saree_cosface.features.ahead import Prepared
from saree_cosface.files import atomic_path
from saree_cosface.networks.backbone import Backbone
from saree_cosface.networks.fingerprint import fingerprint
from saree_cosface.networks.precision import Precision, autocast


@dataclass(frozen=True)
class PhotoFeatures:
    """Features of the photos that could be read.

    Attributes:
        features: float16 ``(N, V, F)``, a row a readable photo.
        rows: position of each in the list of files asked for, ``(N,)``, ascending.
        bad: the photos that could not be read, with the reason.
    """

    features: NDArray[np.float16]
    rows: NDArray[np.int_]
    bad: tuple[BadImage, ...]


def photo_features(
    backbone: Backbone,
    precision: Precision,
    files: Sequence[Path],
    views: Views,
    *,
    cache: Path | None = None,
    description: str | None = "Reading photos",
) -> PhotoFeatures:
    """Backbone features of the views of each file.

    Args:
        backbone: in any mode; it is run in evaluation mode.
        precision: of the backbone.
        files: photos; one that cannot be read is listed, never fatal.
        views: which views of a photo.
        cache: folder to remember features in, by photo content and network; nothing is remembered when None.
        description: of the progress bar; None shows none.
    """
    folder = None
    if cache is not None:
        network = f"{backbone.name}-{fingerprint(backbone)}-{precision}"
        folder = Path(cache).expanduser() / network / views.key
    was_training = backbone.training
    backbone.eval()
    found: list[NDArray[np.float16]] = []
    rows: list[int] = []
    bad: list[BadImage] = []
    try:
        with Prepared(files, views, backbone.preprocessing.size, folder) as prepared:
            shown = prepared if description is None else track(prepared, description, total=len(files))
            for row, item in enumerate(shown):
                if isinstance(item, BadImage):
                    bad.append(item)
                    continue
                features = _run(backbone, precision, item.views) if item.features is None else item.features
                if folder is not None and item.features is None:
                    with atomic_path(folder / f"{item.sha256}.npy") as temporary:
                        np.save(temporary, features)
                found.append(features)
                rows.append(row)
    finally:
        backbone.train(was_training)
    empty = np.zeros((0, BRIEF, backbone.num_features), np.float16)
    return PhotoFeatures(np.stack(found) if found else empty, np.array(rows, dtype=np.int_), tuple(bad))


def _run(backbone: Backbone, precision: Precision, views: NDArray[np.uint8]) -> NDArray[np.float16]:
    # One photo at a time, in batches of as many views as a prediction takes: what is computed for a view must not
    # depend on what else happens to be asked for, since a batch of another size may round differently.
    device = next(backbone.parameters()).device
    pixels = torch.from_numpy(views).permute(0, 3, 1, 2).to(device)
    with torch.inference_mode(), autocast(device.type, precision):
        parts = [backbone(part) for part in torch.split(pixels, BRIEF)]
        features: NDArray[np.float16] = torch.cat(parts).half().cpu().numpy()
    return features
