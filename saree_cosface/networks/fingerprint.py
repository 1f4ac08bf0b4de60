"""The name of a network by its weights."""

import hashlib
from functools import lru_cache

import torch

from saree_cosface.networks.embedder import Embedder


def fingerprint(network: torch.nn.Module) -> str:
    """Names a network by its weights, in caches."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


@lru_cache(maxsize=4)
def embedder_version(embedder: Embedder) -> str:
    """Twelve digits that name the weights."""
    return fingerprint(embedder)
