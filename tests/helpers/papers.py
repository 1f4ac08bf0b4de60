"""The losses of the heads as the papers write them: in float64, logit by logit, with angles."""

import itertools
import math

import numpy as np

from saree_cosface.heads import (
    ArcFace,
    CosFace,
    LargeMarginSoftmax,
    NormalizedSoftmax,
    Softmax,
    SoftmaxCenter,
    SoftmaxContrastive,
    SphereFace,
)


def reference_loss(head, embeddings, labels):
    """Mean loss in float64, written logit by logit from the papers, with angles."""
    total = 0.0
    prototypes = head.weight.detach().double().numpy()
    for x, label in zip(embeddings.detach().double().numpy(), labels.tolist(), strict=True):
        logits = []
        for j, w in enumerate(prototypes):
            length = np.linalg.norm(x)
            a, b = x / length, w / np.linalg.norm(w)
            theta = 2 * math.atan2(np.linalg.norm(a - b), np.linalg.norm(a + b))
            target = j == label
            match head:
                case Softmax() | SoftmaxCenter() | SoftmaxContrastive():
                    logit = float(x @ w)
                case NormalizedSoftmax():
                    logit = head.scale * math.cos(theta)
                case CosFace():
                    logit = head.scale * (math.cos(theta) - head.margin * target)
                case ArcFace():
                    logit = head.scale * math.cos(theta)
                    if target and theta + head.margin <= math.pi:
                        logit = head.scale * math.cos(theta + head.margin)
                    elif target:
                        logit = head.scale * (math.cos(theta) - head.margin * math.sin(head.margin))
                case SphereFace() | LargeMarginSoftmax():
                    if isinstance(head, LargeMarginSoftmax):
                        length *= np.linalg.norm(w)
                    elif head.scale is not None:
                        length = head.scale
                    logit = length * math.cos(theta)
                    if target:
                        k = min(math.floor(theta * head.margin / math.pi), head.margin - 1)
                        psi = (-1) ** k * math.cos(head.margin * theta) - 2 * k
                        mixed = head.annealing.at(int(head.step))
                        logit = length * (mixed * math.cos(theta) + psi) / (1 + mixed)
            logits.append(logit)
        top = max(logits)
        total += top + math.log(math.fsum(math.exp(logit - top) for logit in logits)) - logits[label]
    return total / len(labels) + reference_companion(head, embeddings.detach().double().numpy(), labels.tolist())


def reference_companion(head, embeddings, labels):
    """The loss beside the cross-entropy."""
    match head:
        case SoftmaxCenter():
            centers = head.centers.double().numpy()
            squares = [np.sum((x - centers[label]) ** 2) for x, label in zip(embeddings, labels, strict=True)]
            return head.balance / 2 * np.mean(squares)
        case SoftmaxContrastive():
            pairs = {True: [], False: []}
            unit = [x / np.linalg.norm(x) for x in embeddings]
            for (a, first), (b, second) in itertools.combinations(zip(unit, labels, strict=True), 2):
                distance = np.linalg.norm(a - b)
                gap = distance if first == second else max(0.0, head.margin - distance)
                pairs[first == second].append(gap**2 / 2)
            return head.balance * sum(np.mean(kind) for kind in pairs.values() if kind)
    return 0.0
