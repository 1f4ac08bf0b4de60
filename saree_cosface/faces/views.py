"""What training sees of an aligned face: moved, mirrored, coloured and covered a little, differently each time."""

from functools import cached_property

import albumentations as A
import cv2

from saree_cosface.data.views import Pixels, reseed
from saree_cosface.faces.images import SIZE
from saree_cosface.options import FaceOptions

COVERED = (0.15, 0.5)
"""Least and largest side of what is covered, as a share of the crop's."""


class FaceViews:
    """Random views of aligned faces, each a function of the photo and one number.

    So a training that was interrupted sees the same views afterwards, in however many processes.

    Args:
        options: strengths of the changes.

    >>> import numpy as np
    >>> FaceViews(FaceOptions("folder"))(np.zeros((112, 112, 3), np.uint8), 7).shape
    (112, 96, 3)
    """

    def __init__(self, options: FaceOptions) -> None:
        self.options = options

    @cached_property
    def _transform(self) -> A.Compose:
        options = self.options
        zoom, jitter = 1 + options.zoom, options.colour_jitter
        moves = options.shift or options.rotation or options.zoom
        return A.Compose(
            [
                A.Affine(
                    translate_px=(-options.shift, options.shift),
                    rotate=(-options.rotation, options.rotation),
                    scale=(1 / zoom, zoom),
                    border_mode=cv2.BORDER_REPLICATE,
                    p=1.0 if moves else 0.0,
                ),
                A.CenterCrop(*SIZE),
                A.HorizontalFlip(p=0.5),
                A.ColorJitter(jitter, jitter, jitter, 0, p=1.0 if jitter else 0.0),
                A.CoarseDropout((1, 1), COVERED, COVERED, fill="random_uniform", p=options.cover),
            ]
        )

    def __call__(self, face: Pixels, number: int) -> Pixels:
        """View ``number`` of a face ``(112, W, 3)`` with W of at least 96: ``(112, 96, 3)``."""
        reseed(self._transform, number)
        view: Pixels = self._transform(image=face)["image"]
        return view
