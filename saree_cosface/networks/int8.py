"""An exported network in whole numbers of eight bits, as NNCF makes it of what flows through while it sees photos."""

import io
import logging
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino._offline_transformations import apply_moc_transformations

from saree_cosface.networks.export import ExportError, Format

_EARLY = 1 / 3
"""Of the convolutions, those that stay in single precision."""

_NECK = 2
"""Products that a neck has at most; a network with more has moments, and their roots."""


def require_packages(kind: Format) -> None:
    """Make sure that the packages are there with which a file of this kind is quantised.

    Raises:
        ExportError: one is missing.
    """
    needed = ("nncf", "onnx", "onnxruntime") if kind == "onnx" else ("nncf",)
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        raise ExportError(f"{' and '.join(missing)} must be installed for --int8: pip install 'saree-cosface[export]'.")


def quantise(network: Path, views: Sequence[NDArray[np.uint8]], written: Path) -> None:
    """Write an exported network once more, with weights and what flows between layers in eight bits.

    Weights are quantised by the channel, to half the range: processors with AVX2 alone, and no instructions for eight
    bits, would else saturate when they add products, and say something else than those that have them. Single precision
    is left to the first third of the convolutions, whose errors go through all others, and to what comes after the
    backbone, since embeddings are to have length 1.

    Args:
        network: ``.onnx`` or ``.xml``.
        views: of each photo, ``(V, S, S, 3)``: they find the range of what flows between layers.
        written: of the same kind.

    Raises:
        ExportError: NNCF cannot quantise it.
    """
    nncf = _nncf()
    if network.suffix == ".onnx":
        import onnx

        model = onnx.load(network)
    else:
        model = openvino.Core().read_model(network)
        # Batch norms go into their convolutions, whose biases NNCF then finds to correct: least cosine 0.93 without.
        apply_moc_transformations(model, cf=False)
    settings = {
        "subset_size": len(views),
        "preset": nncf.QuantizationPreset.MIXED,
        "ignored_scope": nncf.IgnoredScope(names=_exact(nncf.build_graph(model)), validate=False),
        "advanced_parameters": nncf.AdvancedQuantizationParameters(overflow_fix=nncf.OverflowFix.ENABLE),
    }
    try:
        with redirect_stdout(io.StringIO()):  # where it would show its progress, and there is to be one document
            found = nncf.quantize(model, nncf.Dataset([{"views": each} for each in views]), **settings)
    except Exception as error:  # NNCF's own have no class in common
        raise ExportError(f"the network cannot be quantised: {str(error)[:500]}") from error
    if network.suffix == ".onnx":
        onnx.save(found, written)
    else:
        openvino.save_model(found, written, compress_to_fp16=False)


def _exact(graph: Any) -> list[str]:
    """Names of the layers that stay as they are: early convolutions, and everything after the backbone.

    Moments, and their roots, are products of what flows through: these stay, and the convolutions that turn channels
    into the directions of moments.
    """
    layers = graph.topological_sort()
    convolutions = [layer for layer in layers if layer.node_type in ("Conv", "Convolution", "GroupConvolution")]
    lengths = [layer for layer in layers if layer.node_type == "ReduceL2"]
    neck = [layer for layer in layers if layer.node_type in ("MatMul", "Gemm")]
    names = {layer.node_name for layer in convolutions[: round(_EARLY * len(convolutions))]}
    waiting = lengths[-2:] + neck[-1:]  # lengths of the features, if they are all brought to one, and of the embedding
    if len(neck) > _NECK:
        waiting += neck
        names |= {layer.node_name for each in neck for layer in _before(graph, each) if layer in convolutions}
    while waiting:
        layer = waiting.pop()
        if layer.node_name not in names:
            names.add(layer.node_name)
            waiting += graph.get_next_nodes(layer)
    return sorted(names)


def _before(graph: Any, layer: Any) -> list[Any]:
    """The layer that a product takes its values from, behind changes of shape alone."""
    found = []
    for each in graph.get_previous_nodes(layer):
        while each.node_type in ("Reshape", "Flatten", "Transpose", "Convert", "Cast"):
            earlier = graph.get_previous_nodes(each)
            if not earlier:
                break
            each = earlier[0]
        found.append(each)
    return found


def _nncf() -> ModuleType:
    """NNCF without openvino_telemetry, by which it would tell its makers of each use, over the network, and which
    leaves a number for whoever uses it in the home folder."""
    if "nncf" in sys.modules:
        return sys.modules["nncf"]
    absent = {"openvino_telemetry": None}
    before = {name: sys.modules[name] for name in absent if name in sys.modules}
    sys.modules.update(absent)  # type: ignore[arg-type]  # so Python is told that there is no such module
    try:
        import nncf
    finally:
        for name in absent:
            del sys.modules[name]
        sys.modules.update(before)
    nncf.set_log_level(logging.ERROR)
    module: ModuleType = nncf
    return module
