"""An embedder as a file that other programs run: ONNX, or OpenVINO's own kind.

What goes in are views as pixels, uint8 ``(B, S, S, 3)``, RGB, as :class:`saree_cosface.data.views.PyramidViews` cuts
them; what comes out are unit embeddings ``(B, D)``. Scaling pixels, and bringing embeddings to length 1, lies within.
The embedding of a photo is the mean of those of its views, brought to length 1 again. A network of second moments takes
the views of one photo, which it adds up itself, and gives the one embedding of the photo, ``(1, D)``.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import openvino
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from saree_cosface.networks.converted import converted_model, settings
from saree_cosface.networks.embedder import Embedder
from saree_cosface.networks.runtime import AGREE

Format = Literal["onnx", "openvino"]

_BATCHES = (1, 2, 7)  # on which the file is tried: whether it takes any number of views


class ExportError(ValueError):
    """An embedder cannot be exported; the message says why and what to do."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        files: of the network.
        cosine: the least between what the file says of some views and what the embedder does.
        difference: the largest of a coordinate.
    """

    files: tuple[Path, ...]
    cosine: float
    difference: float


def export(embedder: Embedder, folder: Path, kind: Format) -> Exported:
    """Write an embedder as ``embedder.onnx``, or as ``embedder.xml`` and ``embedder.bin``, once it was tried.

    Args:
        embedder: on the CPU.
        folder: made if it is not there; files of these names are replaced.
        kind: of file.

    Raises:
        ExportError: a package is missing, the network cannot be expressed so, or the file says something else.
        OSError: the folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    size = embedder.backbone.preprocessing.shape
    with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as scratch:
        written = Path(scratch) / ("embedder.onnx" if kind == "onnx" else "embedder.xml")
        try:
            (_onnx if kind == "onnx" else _openvino)(_Views(embedder), (*size, 3), written)
        except RuntimeError as error:
            raise ExportError(f"the network cannot be written as {kind}: {error}") from error
        cosine, difference = _tried(embedder, written, (*size, 3))
        if cosine < AGREE:
            raise ExportError(
                f"the file says something else than the embedder (cosine {cosine:.4f}): nothing is written."
            )
        return Exported(moved(Path(scratch), folder), cosine, difference)


def moved(scratch: Path, folder: Path) -> tuple[Path, ...]:
    """Move the files of one folder into another, where they replace those of their names."""
    names = sorted(path.name for path in scratch.iterdir())
    for name in names:
        (scratch / name).replace(folder / name)
    return tuple(folder / name for name in names)


class _Views(nn.Module):
    """Pixels of views ``(B, S, S, 3)`` to unit embeddings ``(B, D)``, or of a photo's views to its own, ``(1, D)``."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__()
        self.embedder = embedder
        self.training = embedder.training  # which is what it goes back to

    def forward(self, views: Tensor) -> Tensor:
        pixels = views.permute(0, 3, 1, 2)
        if self.embedder.backbone.pooling is not None:
            return self.embedder.fuse(self.embedder.features(pixels)[None])
        embeddings: Tensor = self.embedder(pixels)
        return embeddings


def _openvino(network: nn.Module, shape: tuple[int, int, int], path: Path) -> None:
    model = converted_model(network, shape)
    model.inputs[0].set_names({"views"})
    model.outputs[0].set_names({"embeddings"})
    openvino.save_model(model, path, compress_to_fp16=False)


def _onnx(network: nn.Module, shape: tuple[int, int, int], path: Path) -> None:
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise ExportError(f"{' and '.join(missing)} must be installed for this: pip install 'saree-cosface[export]'.")
    torch.onnx.export(
        network.eval(),
        (torch.zeros(2, *shape, dtype=torch.uint8),),
        path,
        input_names=["views"],
        output_names=["embeddings"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def _tried(embedder: Embedder, path: Path, shape: tuple[int, int, int]) -> tuple[float, float]:
    run = loaded(path)
    random = np.random.default_rng(0)
    cosines, differences = [], []
    for size in _BATCHES:
        views = random.integers(0, 256, (size, *shape), dtype=np.uint8)
        with torch.inference_mode():
            expected = _Views(embedder)(torch.from_numpy(views)).numpy()
        found = run(views)
        cosines.append(float((found * expected).sum(axis=1).min()))
        differences.append(float(np.abs(found - expected).max()))
    return min(cosines), max(differences)


def loaded(path: Path) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """What an exported file, of either kind, makes of views: ``(B, S, S, 3) -> (B, D)``."""
    compiled = openvino.Core().compile_model(str(path), "CPU", settings())
    return lambda views: np.array(compiled(views)[0])
