"""What ``finetune.py`` shows a network: views of photos, as the first stage that learns takes them, and their features.

What stages that stay frozen find in views is computed once, and kept as the fifth of seven blocks takes it.
"""

import hashlib
from functools import partial

import albumentations as A
import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from saree_cosface.console import track
from saree_cosface.data.content import photo_hash
from saree_cosface.data.images import decode
from saree_cosface.data.views import LARGEST, PyramidViews, RandomViews, reseed
from saree_cosface.features.extraction import in_half
from saree_cosface.files import atomic_path
from saree_cosface.networks.create import create_backbone
from saree_cosface.networks.pooling import SecondOrder
from saree_cosface.options import ViewOptions

CHANNELS = (112, 320)  # of the two depths of which moments are taken
CUT, LAST = 4, 7
POOL = 16  # random views of a photo, of which an epoch draws


class NativeViews:
    """Random views of a photo at its own scale, which is only made larger where it is smaller than a view."""

    def __init__(self, size, jitter):
        self.size = size
        colours = A.ColorJitter(jitter, jitter, jitter, jitter / 10, p=0.8)
        self.transform = A.Compose([A.RandomCrop(size, size), A.HorizontalFlip(p=0.5), colours])

    def view(self, pixels, photo, number):
        scale = max(1, self.size / min(pixels.shape[:2]))
        if scale > 1:
            sides = [max(self.size, round(scale * side)) for side in pixels.shape[1::-1]]
            pixels = cv2.resize(pixels, sides, interpolation=cv2.INTER_CUBIC)
        digest = hashlib.sha256(f"native/{photo}/{number}".encode()).digest()
        reseed(self.transform, int.from_bytes(digest[:4], "little"))
        return self.transform(image=pixels)["image"]


def views_of(file, kind, size):
    """``(V, S, S, 3)``: the nine of a prediction, or random ones."""
    pixels = decode(file, shrink_to=None if kind == "native" else round(LARGEST * size))
    if kind == "brief":
        return PyramidViews(size, brief=True)(pixels, file.stem)
    cut = NativeViews(size, ViewOptions().colour_jitter) if kind == "native" else RandomViews(size, ViewOptions())
    return np.stack([cut.view(pixels, photo_hash(file), number) for number in range(POOL)])


def quickened(network):
    """The same network, in half precision: gradients of depthwise convolutions take ten times as long in that, so these
    stay in single precision, and convolutions of single pixels are products of matrices."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1:
            module.forward = partial(_single, module.forward)
        elif isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1):
            module.forward = partial(_product, module)
    return network


def _single(forward, values):
    with torch.autocast("cpu", enabled=False):
        return forward(values.float())


def _product(module, values):
    return F.linear(values.permute(0, 2, 3, 1), module.weight.flatten(1)).permute(0, 3, 1, 2)


def stem(backbone, pixels, blocks):
    """What the first blocks of the network make of pixels ``(B, 3, S, S)``."""
    network = backbone.network
    values = network.bn1(network.conv_stem((pixels.float() - backbone.mean) / backbone.std))
    for block in network.blocks[:blocks]:
        values = block(values)
    return values


def inputs_of(files, kind, way, cache):
    """What the first stage that learns takes, of views of photos, ``(N, V, h, w, C)`` each; and the map of the earlier
    depth beside it, where the last stage alone learns from moments."""
    backbone = create_backbone("lite0").eval()
    size = backbone.preprocessing.size
    folder, keys = cache / f"finetune-{kind}", [photo_hash(file) for file in files]
    pixels = []
    for file, key in zip(track(files, f"Views: {kind}"), keys, strict=True):
        if first_block(way) == 0:
            pixels.append(torch.from_numpy(views_of(file, kind, size)))
        elif not (folder / f"{key}.npy").exists():
            with torch.inference_mode():
                found = stem(backbone, torch.from_numpy(views_of(file, kind, size)).permute(0, 3, 1, 2), CUT)
            with atomic_path(folder / f"{key}.npy") as temporary:
                np.save(temporary, found.permute(0, 2, 3, 1).half().numpy())
    if pixels:
        return [torch.stack(pixels)]
    shown = [torch.stack([torch.from_numpy(np.load(folder / f"{key}.npy")) for key in keys])]
    quickened(backbone.network)
    for block in range(CUT, LAST - way.stages):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            made = [
                backbone.network.blocks[block](some.flatten(0, 1).permute(0, 3, 1, 2).bfloat16())
                for some in torch.split(shown[0], 4)
            ]
        made = torch.cat([each.permute(0, 2, 3, 1).half() for each in made])
        shown = [made.view(len(files), -1, *made.shape[1:]), *shown]
    return shown[: 2 if way.stages == 1 and way.second else 1]


def features(embedder, inputs, way, pooling):
    """Of what the first stage that learns takes, ``(B, h, w, C)``: moments, or means where there is no pooling."""
    network, first = embedder.backbone.network, first_block(way)
    with torch.autocast("cpu", torch.bfloat16):
        values, *maps = (each.permute(0, 3, 1, 2) for each in inputs)
        values = stem(embedder.backbone, values, 0) if first == 0 else values.bfloat16()
        if first == CUT + 1:
            maps = [values]
        for block in range(first, LAST):
            values = network.blocks[block](values)
            if block == CUT:
                maps = [values]
        if pooling is None:
            return network.bn2(network.conv_head(values)).float().mean((2, 3))
    return pooling(pooling.local([maps[0].float(), values.float()]))


def first_block(way):
    return LAST - way.stages if way.stages <= LAST - CUT else 0


@torch.no_grad()
def features_of_photos(embedder, inputs, way):
    """Of the nine views of each photo: moments of all channels of them together, ``(N, F)``, or means ``(N, V, F)``."""
    embedder.eval()
    wide, parts = SecondOrder(CHANNELS) if way.second else None, []
    for some in zip(*(torch.split(each, 8) for each in inputs), strict=True):
        found = features(embedder, [each.flatten(0, 1) for each in some], way, wide).view(*some[0].shape[:2], -1)
        parts.append(in_half(found.mean(1, keepdim=True).numpy())[:, 0] if way.second else found.numpy())
    return np.concatenate(parts)
