"""The head that the options name."""

from contextlib import nullcontext

import torch

from saree_cosface.console import console
from saree_cosface.heads import (
    ArcFace,
    CosFace,
    Head,
    LargeMarginSoftmax,
    NormalizedSoftmax,
    Softmax,
    SoftmaxCenter,
    SoftmaxContrastive,
    SphereFace,
    Triplet,
    scale,
)
from saree_cosface.options import HeadOptions


def make_head(options: HeadOptions, embedding_dim: int, num_classes: int, *, warn: bool = True) -> Head:
    """The head that the options name, and (with ``warn``) a warning for each bound of s and m that they break.

    One that will be sharded has no prototypes yet: they lie on the device "meta".
    """
    with torch.device("meta") if options.sharded else nullcontext():
        return _made(options, embedding_dim, num_classes, warn)


def _made(options: HeadOptions, embedding_dim: int, num_classes: int, warn: bool) -> Head:
    match options.name:
        case "softmax":
            return Softmax(embedding_dim, num_classes)
        case "sphereface":
            return SphereFace(embedding_dim, num_classes, margin=_whole(options))
        case "sphereface_normalized":
            return SphereFace(embedding_dim, num_classes, margin=_whole(options), scale=options.scale)
        case "lsoftmax":
            return LargeMarginSoftmax(embedding_dim, num_classes, margin=_whole(options))
        case "contrastive":
            balance = {} if options.balance < 0 else {"balance": options.balance}
            return SoftmaxContrastive(embedding_dim, num_classes, margin=options.margin, **balance)
        case "triplet":
            return Triplet(embedding_dim, num_classes, margin=options.margin)
        case "center":
            balance = {} if options.balance < 0 else {"balance": options.balance}
            return SoftmaxCenter(embedding_dim, num_classes, **balance)
        case "cosface_unnormalized":
            return CosFace(embedding_dim, num_classes, scale=None, margin=options.margin)
        case "arcface":
            return ArcFace(embedding_dim, num_classes, scale=options.scale, margin=options.margin)
        case "nsl":
            margin = 0.0
        case "cosface":
            margin = options.margin
    for warning in scale.check(options.scale, margin, num_classes, embedding_dim) if warn else ():
        console.print(f"[yellow]{warning}", highlight=False)
    if options.name == "nsl":
        return NormalizedSoftmax(embedding_dim, num_classes, scale=options.scale)
    return CosFace(embedding_dim, num_classes, scale=options.scale, margin=margin)


def _whole(options: HeadOptions) -> int:
    if options.margin < 1 or options.margin != round(options.margin):
        raise ValueError(
            f"option head.margin is {options.margin:g}: {options.name} multiplies the angle by it, so it must be a "
            "whole number, such as 4."
        )
    return round(options.margin)
