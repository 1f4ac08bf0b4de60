"""What computes the features of a network that does not learn: OpenVINO where it is faster here, else torch.

Both compute in single precision, so that a run says the same on every machine: their features agree to a cosine of
0.9999 and better. Half precision is faster yet on some processors, but moves photos further than a cosine of 0.999, and
takes fifty times as long where it is emulated (``benchmarks/runtime.py``).

Which of the two is faster is found by trying both, once for an architecture on a machine, and written down.
"""

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from saree_cosface.data.views import BRIEF
from saree_cosface.files import write_json
from saree_cosface.machine import threads
from saree_cosface.machine.caches import located
from saree_cosface.machine.processor import processor
from saree_cosface.networks.backbone import Backbone, evaluating

Runtime = Literal["openvino", "torch"]

Seen = tuple[NDArray[np.float32], tuple[NDArray[np.float32], ...]]
"""Features of views ``(V, F)``, and the maps of local features that they may be made of, ``(V, C, h, w)`` each."""

VARIABLE = "SAREE_COSFACE_RUNTIME"
"""Environment variable that names the runtime, instead of what is faster here."""

KNOWN = "~/.cache/saree-cosface/runtimes.json"
"""What was found on which machine, for whom it interests."""

AGREE = 0.9999
"""Cosine with torch's features that another runtime's must reach."""

_TRIALS = 3

_found: dict[tuple[str, str], Runtime] = {}  # by machine and network, in this process


class RuntimeNameError(ValueError):
    """There is no such runtime; the message says which there are."""


def runner(backbone: Backbone) -> Callable[[NDArray[np.uint8]], Seen]:
    """What computes the features of views ``(V, S, S, 3)`` with a backbone's weights as they are now.

    Views are computed as many at once as a prediction takes, and a batch for itself: what is computed for a view must
    not depend on what else is asked for, since a batch of another size may round differently. A GPU, which is idle with
    so few, gets those of many photos at once. Threads may share a backbone, but not what this returns.

    Raises:
        RuntimeNameError: the environment variable names none.
    """
    return _by_openvino(backbone) if runtime_of(backbone) == "openvino" else partial(_by_torch, backbone)


def photos_at_once(backbone: Backbone) -> int:
    """Of how many photos views are best given to :func:`runner` at once."""
    return 1 if next(backbone.parameters()).device.type == "cpu" else 32


def runtime_of(backbone: Backbone) -> Runtime:
    """What computes with a backbone here: what the environment variable says, else what is faster; on a GPU torch.

    Raises:
        RuntimeNameError: the environment variable names none.
    """
    named = os.environ.get(VARIABLE, "")
    if named not in ("", "openvino", "torch"):
        raise RuntimeNameError(f"{VARIABLE} is {named}; it must be openvino or torch, or not be set.")
    if named == "torch" or next(backbone.parameters()).device.type != "cpu" or not find_spec("openvino"):
        return "torch"
    return "openvino" if named else _faster(backbone)


def _faster(backbone: Backbone) -> Runtime:
    of_torch, of_openvino = torch.__version__, version("openvino")
    machine = f"{processor()}, {threads.count()} threads, torch {of_torch}, openvino {of_openvino}"
    network = f"{backbone.name}{backbone.pooled_as}, {' x '.join(map(str, backbone.preprocessing.shape))}"
    if (machine, network) not in _found:
        found = _read().get(machine, {}).get(network)
        if not isinstance(found, dict) or found.get("runtime") not in ("openvino", "torch"):
            found = _tried(backbone)
            known = _read()
            known.setdefault(machine, {})[network] = found
            with suppress(OSError):  # tried again by the next process
                write_json(located(KNOWN), known)
        _found[machine, network] = found["runtime"]
    return _found[machine, network]


def _tried(backbone: Backbone) -> dict[str, Any]:
    """Which is faster, with the seconds for a photo and the least cosine between them."""
    views = np.random.default_rng(0).integers(0, 256, (BRIEF, *backbone.preprocessing.shape, 3), dtype=np.uint8)
    try:
        ways: dict[str, Callable[[NDArray[np.uint8]], Seen]] = {
            "torch": partial(_by_torch, backbone),
            "openvino": _by_openvino(backbone),
        }
        features = {name: way(views)[0] for name, way in ways.items()}
    except (RuntimeError, ImportError) as error:  # a layer that it does not know, or a machine that it does not run on
        return {"runtime": "torch", "why": str(error)[:500]}
    one, other = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in features.values())
    cosine = float((one * other).sum(axis=1).min())
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_TRIALS):  # in turns, so that a passing load on the machine slows both
        for name, way in ways.items():
            start = time.perf_counter()
            way(views)
            seconds[name].append(time.perf_counter() - start)
    best = {name: round(min(times), 4) for name, times in seconds.items()}
    fastest = min(best, key=best.__getitem__) if cosine >= AGREE else "torch"
    return {"runtime": fastest, "seconds": best, "cosine": round(cosine, 6)}


def _by_torch(backbone: Backbone, views: NDArray[np.uint8]) -> Seen:
    device = next(backbone.parameters()).device
    pixels = torch.from_numpy(views).permute(0, 3, 1, 2).to(device)
    with evaluating(backbone), torch.inference_mode():
        found = [backbone.features_and_maps(part) for part in torch.split(pixels, BRIEF * photos_at_once(backbone))]
    features = np.concatenate([each.cpu().numpy() for each, _ in found])
    depths = zip(*(maps for _, maps in found), strict=True)
    return features, tuple(np.concatenate([each.cpu().numpy() for each in maps]) for maps in depths)


def _by_openvino(backbone: Backbone) -> Callable[[NDArray[np.uint8]], Seen]:
    from saree_cosface.networks.converted import converted  # only where it is used: loading it takes a while

    run = converted(backbone)

    def seen(views: NDArray[np.uint8]) -> Seen:
        if views.shape[1:3] != backbone.preprocessing.shape:
            return _by_torch(backbone, views)
        pixels = views.transpose(0, 3, 1, 2)
        found = [run(pixels[start : start + BRIEF]) for start in range(0, len(pixels), BRIEF)]
        features, *maps = (np.concatenate(each) for each in zip(*found, strict=True))
        return features, tuple(maps)

    return seen


def _read() -> dict[str, dict[str, Any]]:
    """What is known of each machine; nothing where the file is not there, or damaged."""
    try:
        known = dict(json.loads(located(KNOWN).read_text(encoding="utf-8")))
        return {machine: dict(networks) for machine, networks in known.items()}
    except (OSError, ValueError, TypeError):
        return {}
