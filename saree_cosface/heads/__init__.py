"""Losses that train an embedder: the nine of the CosFace paper's Table 2, and ArcFace.

A head holds one *prototype* per class and turns embeddings and labels into a mean loss. It is used in training only:
afterwards an embedding is compared with prototypes or references by its cosine.

| loss | head | paper | module |
|---|---|---|---|
| softmax | ``Softmax`` | | ``additive`` |
| softmax + contrastive | ``SoftmaxContrastive`` | Sun et al., DeepID2, arXiv:1406.4773 | ``contrastive`` |
| triplet | ``Triplet`` | Schroff et al., FaceNet, arXiv:1503.03832 | ``triplet`` |
| L-Softmax | ``LargeMarginSoftmax`` | Liu et al., arXiv:1612.02295 | ``multiplicative`` |
| softmax + center | ``SoftmaxCenter`` | Wen et al., ECCV 2016 | ``center`` |
| A-Softmax | ``SphereFace`` | Liu et al., SphereFace, arXiv:1704.08063 | ``multiplicative`` |
| A-Softmax-NormFea | ``SphereFace`` with a scale | Wang et al., CosFace, arXiv:1801.09414 | ``multiplicative`` |
| NSL | ``NormalizedSoftmax`` | Wang et al., NormFace, arXiv:1704.06369 | ``additive`` |
| LMCL | ``CosFace`` | Wang et al., CosFace, arXiv:1801.09414 | ``additive`` |
| ArcFace | ``ArcFace`` | Deng et al., arXiv:1801.07698 | ``additive`` |

All heads share one shape, which ``base.Head`` gives: ``Head(embedding_dim, num_classes, *, ...)``, prototypes in
``weight`` (C, D), and

- ``cosines(embeddings)``: margin-free cosines, from which training accuracy must be read (with the margin it
  looks like 0);
- ``predictions(embeddings)``: the class of the largest of them;
- ``logits(embeddings, labels)``: what the cross-entropy sees, the margin applied at the targets;
- ``forward(embeddings, labels, weight=None)``: the mean loss.

For classes whose prototypes are too many for one machine, ``ShardedHead`` shares those of CosFace, NSL or ArcFace out
among the processes of a training (``sharded``).

Normalisation, cosines and loss are computed in float32 even inside ``torch.autocast`` and for half-precision inputs,
and in float64 when the embeddings or the prototypes are float64.

The margin changes one logit per row. No (B, C) one-hot or masked copy is made for it: the scale is folded into the
(B, D) embeddings before the matrix product, and the change of the B target logits is added to the product in place.

What a head learns without a gradient (centres, running means, the step of an annealing) lies in buffers: it is saved
with the state, no optimizer sees it, and only a call of ``forward`` in training mode changes it.

Units: CosFace's margin is a difference of cosines, ArcFace's an angle in radians, that of SphereFace and L-Softmax an
integer that multiplies the angle, that of the contrastive loss a distance between unit vectors, and that of the
triplet loss a difference of squared distances between unit vectors.
"""

from saree_cosface.heads.additive import ArcFace, CosFace, NormalizedSoftmax, Softmax
from saree_cosface.heads.base import Head
from saree_cosface.heads.center import SoftmaxCenter
from saree_cosface.heads.contrastive import SoftmaxContrastive
from saree_cosface.heads.multiplicative import LambdaAnnealing, LargeMarginSoftmax, SphereFace, psi
from saree_cosface.heads.sharded import ShardedHead
from saree_cosface.heads.triplet import Triplet

__all__ = [
    "ArcFace",
    "CosFace",
    "Head",
    "LambdaAnnealing",
    "LargeMarginSoftmax",
    "NormalizedSoftmax",
    "ShardedHead",
    "Softmax",
    "SoftmaxCenter",
    "SoftmaxContrastive",
    "SphereFace",
    "Triplet",
    "psi",
]
