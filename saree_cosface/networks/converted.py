"""Networks converted for OpenVINO, and kept: the next process takes up what the first has made.

OpenVINO's own converter tells its makers of each use over the network, so the parts that it is made of are called here.
"""

import hashlib
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from numpy.typing import NDArray
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
from torch import Tensor, nn

from saree_cosface.files import atomic_path
from saree_cosface.machine import threads
from saree_cosface.machine.caches import located
from saree_cosface.machine.processor import processor
from saree_cosface.networks.backbone import Backbone, evaluating
from saree_cosface.networks.fingerprint import fingerprint

FOLDER = "~/.cache/saree-cosface/networks"
"""Where converted networks lie, each by its weights and by the machine that it was made for."""

_KEPT = 12  # networks, of some 15 MB each; the one that was used longest ago goes
_DIGEST = 32  # bytes of a checksum, before each network
_AT_ONCE = 2  # held in memory

_loaded: dict[str, openvino.CompiledModel] = {}

Run = Callable[[NDArray[np.uint8]], list[NDArray[np.float32]]]


def converted(backbone: Backbone) -> Run:
    """Runs a backbone, as its weights are now, on pixels ``(B, 3, H, W)``.

    It gives features ``(B, F)`` and, where they may be made of such, maps of local features ``(B, C, h, w)``.

    Raises:
        RuntimeError: OpenVINO cannot run such a network.
    """
    made = (
        *(backbone.name, backbone.preprocessing, backbone.pooled_as, fingerprint(backbone)),
        *(openvino.__version__, processor()),
    )
    name = f"{hashlib.sha256(repr(made).encode()).hexdigest()[:16]}-{threads.count()}"
    compiled = _compiled(name, backbone)
    request = compiled.create_infer_request()

    def run(pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        found = request.infer([np.ascontiguousarray(pixels)], share_inputs=True)
        return [found[output] for output in compiled.outputs]

    return run


def _compiled(name: str, backbone: Backbone) -> openvino.CompiledModel:
    if name not in _loaded:
        if len(_loaded) >= _AT_ONCE:
            _loaded.pop(next(iter(_loaded)))
        path = located(FOLDER) / f"{name}.blob"
        _loaded[name] = _read(path) or _made(backbone, path)
    return _loaded[name]


def _read(path: Path) -> openvino.CompiledModel | None:
    """What was kept; None if it is not there, damaged, or of another version."""
    try:
        content = path.read_bytes()
        path.touch()
        digest, network = content[:_DIGEST], content[_DIGEST:]
        if hashlib.sha256(network).digest() != digest:  # OpenVINO would compute with whatever weights it finds there
            return None
        return openvino.Core().import_model(network, "CPU", settings())
    except (OSError, RuntimeError):
        return None


def _made(backbone: Backbone, path: Path) -> openvino.CompiledModel:
    height, width = backbone.preprocessing.shape
    model = converted_model(_Outputs(backbone), (3, height, width))
    compiled = openvino.Core().compile_model(model, "CPU", settings())
    with suppress(OSError), atomic_path(path) as temporary:  # a full disk makes the next start slow, no more
        network = compiled.export_model().getvalue()
        temporary.write_bytes(hashlib.sha256(network).digest() + network)
    with suppress(OSError):
        kept = sorted(path.parent.glob("*.blob"), key=lambda each: each.stat().st_mtime)
        for old in kept[:-_KEPT]:
            old.unlink()
    return compiled


def converted_model(network: nn.Module, shape: tuple[int, int, int]) -> openvino.Model:
    """A network of uint8 images of one shape, in batches of any size, as OpenVINO has it.

    Raises:
        RuntimeError: it has a layer that OpenVINO does not know.
    """
    example = torch.zeros(2, *shape, dtype=torch.uint8, device=next(network.parameters()).device)
    with evaluating(network), torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that sizes become constants, which they are
        traced = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced)  # which must live as long as what is made of it
    model = frontend.convert(frontend.load(decoder))
    model.reshape([-1, *shape])
    return model


def settings() -> dict[str, Any]:
    """How a network is run: in single precision, on as many threads as everything else."""
    # Pinned to cores, the threads of two programs would share one core and leave the others idle.
    return {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads.count(),
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
    }


class _Outputs(nn.Module):
    """Features, and the maps that they are made of if there are any."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.training = backbone.training  # which is what it goes back to

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        features, maps = self.backbone.features_and_maps(pixels)
        return (features, *maps)
