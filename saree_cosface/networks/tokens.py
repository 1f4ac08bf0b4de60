"""From what a network has found in a view to its features: its mean over patches, or a transformer's class token."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from saree_cosface.options import PoolingName


def has_tokens(network: nn.Module) -> bool:
    """Whether it is a transformer that finds a token for each patch, as most of timm's do."""
    return hasattr(network, "num_prefix_tokens") and hasattr(getattr(network, "patch_embed", None), "grid_size")


def has_summary(network: Any) -> bool:
    """Whether a transformer sums a view up in one token: a class token, or one by attention to all the others."""
    return has_tokens(network) and (_attends(network) or getattr(network, "cls_token", None) is not None)


def pooled(network: Any, found: Tensor, pooling: PoolingName) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Features of what ``forward_features`` has found in views of one side, and the map that they may be the mean of.

    Args:
        network: of timm.
        found: a map ``(B, C, h, w)``, or tokens ``(B, 1 + h w, C)``.
        pooling: "mean" of patches, as the network has it where that is its own way and in all that have no tokens;
            "token"; or "token+mean", one after the other, each of length 1.

    Returns:
        Features ``(B, F)`` and maps ``(B, C, h, w)``, of which there is one or none.
    """
    if not has_tokens(network):
        features: Tensor = network.forward_head(found, pre_logits=True)
        return features.float(), (found.float(),) if found.ndim == 4 and features.shape == found.shape[:2] else ()
    if pooling == "token":
        return _summary(network, found), ()
    patches = found[:, network.num_prefix_tokens :].float()
    mean = network.forward_head(found, pre_logits=True).float() if network.global_pool == "avg" else patches.mean(dim=1)
    if pooling == "token+mean":
        return torch.cat([F.normalize(_summary(network, found), dim=1), F.normalize(mean, dim=1)], dim=1), ()
    return mean, (patches.transpose(1, 2).reshape(-1, patches.shape[2], *network.patch_embed.grid_size),)


def maps_of(network: Any, pixels: Tensor, depths: int) -> list[Tensor]:
    """Maps of a network's last depths, ``(B, C, h, w)`` each.

    Tokens are normalised as the last ones are: before that, a few channels outweigh all others a hundred times.
    """
    maps: list[Tensor] = network.forward_intermediates(
        pixels, indices=depths, intermediates_only=True, output_fmt="NCHW", norm=has_tokens(network)
    )
    return maps


def _summary(network: Any, found: Tensor) -> Tensor:
    if _attends(network):
        summary: Tensor = network.forward_head(found, pre_logits=True)
        return summary.float()
    token = found[:, 0]
    return (network.fc_norm(token) if hasattr(network, "fc_norm") else token).float()


def _attends(network: Any) -> bool:
    return getattr(network, "attn_pool", None) is not None
