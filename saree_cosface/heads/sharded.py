"""A head for millions of classes: each process of a training holds the prototypes of some, and sees the whole batch.

W processes, the ranks of ``torch.distributed``'s default group, hold C / W prototypes each
(:func:`saree_cosface.heads.ranks.shard`). A step gathers the embeddings and labels of all ranks, so that no rank ever
has more than (B, C / W) logits of the B embeddings of all; of these, two numbers an embedding are exchanged: the
logarithm of the sum of exponentials over the rank's classes, and the logit of the label where it lives there. The loss
is the mean over the whole batch, the same number on every rank and that of one process with all prototypes.

Gradients:

- ``weight`` gets on every rank that of the mean over the whole batch. It is nobody else's: it must not be averaged, nor
  overwritten by another rank's (``DistributedDataParallel`` leaves alone what a module's
  ``_ddp_params_and_buffers_to_ignore`` names).
- A rank's embeddings get W times theirs. For ``DistributedDataParallel`` divides the sum of the ranks' gradients of the
  network below by W, which then is the gradient of the mean over the whole batch. A loop of another kind that adds them
  up must divide by W.

With ``sample`` below 1 the softmax runs over the classes of the batch and some others drawn anew in each step, a share
of each shard: Partial FC, An et al., arXiv:2010.05222, and CVPR 2022, arXiv:2203.15565.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from saree_cosface.heads import chunked
from saree_cosface.heads.base import Head, unit
from saree_cosface.heads.ranks import Everyone, from_each, gathered, place, shard, sizes_of

_DRAWN = 4096  # prototypes drawn from one seed: so that they are the same, however many ranks share them
_NUMBERS = 1 << 20  # logits whose exponentials are there at once


class ShardedHead(nn.Module):
    """A head whose prototypes are shared out among the ranks.

    All its methods but ``spread`` are collective: every rank calls them, in the same order. Without a process group it
    is the head of one process.

    Args:
        formula: the loss, one of unit prototypes whose margin is at the labels alone: CosFace, NormalizedSoftmax or
            ArcFace. It is taken over and its prototypes are let go of; made under ``torch.device("meta")`` it never has
            any.
        sample: share of a rank's classes that a step of training sees, 1 for all. Those of the batch's labels are
            always among them, even if they are more; the others are drawn. The rest gets a gradient of 0, but is still
            moved by an optimiser's momentum and weight decay.

    Attributes:
        rows: the classes held here, after ``spread``.
        step: how many training batches were seen; it is saved with the state, and decides what is drawn.

    >>> from saree_cosface.heads import CosFace
    >>> with torch.device("meta"):
    ...     formula = CosFace(8, 1_000, scale=30.0, margin=0.35)
    >>> head = ShardedHead(formula, sample=0.1)
    >>> head.spread(seed=0)
    >>> head.weight.shape, head(torch.randn(4, 8), torch.tensor([3, 1, 4, 1])).shape
    (torch.Size([1000, 8]), torch.Size([]))

    Raises:
        ValueError: the formula's logits are not products with unit prototypes; or the sample is not within (0, 1].
    """

    step: Tensor

    def __init__(self, formula: Head, *, sample: float = 1.0) -> None:
        super().__init__()
        if type(formula)._features is Head._features:
            raise ValueError(
                f"{type(formula).__name__} cannot be sharded: its logits are not products with unit prototypes. Use "
                "CosFace, NormalizedSoftmax or ArcFace."
            )
        if not 0 < sample <= 1:
            raise ValueError(f"sample is {sample}; it is a share of the classes and must lie within (0, 1]")
        formula.register_parameter("weight", None)
        self.formula = formula
        self.sample = sample
        self.seed = 0
        self.rows = range(0)
        self._drawn: Tensor | None = None
        self.register_buffer("step", torch.zeros((), dtype=torch.long))

    @property
    def weight(self) -> Tensor:
        """Prototypes of ``rows``, (C_r, D).

        Raises:
            RuntimeError: there are none before ``spread``.
        """
        found: Tensor | None = self.formula.weight
        if found is None:
            raise RuntimeError("the prototypes are not there yet: call spread() in every process, once they are joined")
        return found

    @property
    def spread_out(self) -> bool:
        """Whether the prototypes are there."""
        return self.formula.weight is not None

    @property
    def num_classes(self) -> int:
        return self.formula.num_classes

    @property
    def warms_up(self) -> bool:
        return self.formula.warms_up

    @property
    def margin(self) -> float:
        """The formula's, which may be assigned between steps; AttributeError where it has none."""
        return self.formula.margin  # type: ignore[return-value]  # a float on those that have one

    @margin.setter
    def margin(self, margin: float) -> None:
        self.formula.margin = margin  # type: ignore[assignment]

    def spread(self, seed: int = 0) -> None:
        """Draw the prototypes of this rank's classes, (C_r, D), unless they are there.

        They are drawn as by :class:`Head`, from a seed alone: together they are the same on any number of ranks.

        Args:
            seed: of the prototypes, and of the classes that are drawn where ``sample`` is below 1.

        Raises:
            ValueError: there are more ranks than classes.
        """
        if self.spread_out:
            return
        ranks, rank = place()
        if self.num_classes < ranks:
            raise ValueError(f"{self.num_classes} classes cannot be shared by {ranks} processes: start fewer")
        self.seed = seed
        self.rows = shard(self.num_classes, ranks, rank)
        # On the CPU whatever the default: there one seed means one thing.
        weight = torch.empty(len(self.rows), self.formula.embedding_dim, device="cpu")
        generator = torch.Generator("cpu")
        for block in range(self.rows.start // _DRAWN, (self.rows.stop - 1) // _DRAWN + 1):
            generator.manual_seed((seed + 1) * 1_000_000_007 + block)  # not what else begins from the seed
            drawn = torch.randn(_DRAWN, self.formula.embedding_dim, generator=generator, device="cpu")
            first = block * _DRAWN
            start, stop = max(first, self.rows.start), min(first + _DRAWN, self.rows.stop)
            weight[start - self.rows.start : stop - self.rows.start] = drawn[start - first : stop - first]
        weight *= math.sqrt(2 / (self.num_classes + self.formula.embedding_dim))
        self.formula.weight = nn.Parameter(weight.to(self.step.device))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy over the batches of all ranks: ``(B_r, D), (B_r,) -> ()``, the same on every rank.

        Args:
            embeddings: this rank's, as many as it has: ranks may have different numbers of them.
            labels: (B_r,) integers within [0, C), of any rank's classes.

        Raises:
            ValueError: as those of :meth:`Head.forward`; of a wrong label, on every rank.
        """
        formula, weight = self.formula, self.weight
        formula._check_batch(embeddings, torch.zeros_like(labels))  # their numbers below, so that no rank is left alone
        with torch.autocast(embeddings.device.type, enabled=False):
            embeddings = formula._lift(embeddings)[0]
            sizes = sizes_of(embeddings)
            everyone: Tensor = Everyone.apply(embeddings, sizes)
            everyones = gathered(labels.long(), sizes)
            formula._check_not_empty(everyone)
            formula._check_batch(everyone, everyones)
            self._drawn = self._draw(everyones)
            prototypes = weight if self._drawn is None else weight.index_select(0, self._drawn)
            here, columns = self._living_here(everyones)
            of_classes, of_labels = _LogSumExp.apply(
                everyone,
                formula._features(everyone),
                prototypes.to(everyone.dtype),
                here,
                columns,
                formula._targets,
            )
            total, target = _over_ranks(of_classes, of_labels)
            if self.training:
                self.step += 1
            loss: Tensor = (total - target).mean()
            return loss

    @torch.no_grad()
    def predictions(self, embeddings: Tensor) -> Tensor:
        """The class of the largest cosine for each of this rank's embeddings, ``(B_r, D) -> (B_r,)``.

        In training mode with ``sample`` below 1 it is sought among the classes of the last step, which are fewer: to
        seek among all would take longer than the step.

        Raises:
            ValueError: the embeddings are not (B_r, D).
        """
        self.formula._check_embeddings(embeddings)
        with torch.autocast(embeddings.device.type, enabled=False):
            embeddings, weight = self.formula._lift(embeddings)
            sizes = sizes_of(embeddings)
            everyone = unit(gathered(embeddings, sizes))
            drawn = self._drawn if self.training else None
            prototypes = weight if drawn is None else weight[drawn]
            inverse = chunked.inverse_lengths(prototypes)
            rows = max(1, _NUMBERS // max(1, len(prototypes)))
            best = [((part @ prototypes.T).mul_(inverse)).max(dim=1) for part in torch.split(everyone, rows)]
            cosines, classes = (torch.cat(found) for found in zip(*best, strict=True))
            classes = self.rows.start + (classes if drawn is None else drawn[classes])
            # Doubles hold whole numbers up to 2^53: one exchange rather than two.
            each = from_each(torch.stack([cosines.double(), classes.double()]))
            winners = each[:, 0].argmax(dim=0, keepdim=True)
            start = sum(sizes[: place()[1]])
            return each[:, 1].gather(0, winners)[0].long()[start : start + len(embeddings)]

    def _draw(self, labels: Tensor) -> Tensor | None:
        """Which of this rank's classes the step sees, in order, counted from its first; None for all."""
        if self.sample == 1 or not self.training:
            return None
        ranks, rank = place()
        seed = ((self.seed * 1_000_003 + int(self.step)) * ranks + rank) % (1 << 63)
        generator = torch.Generator().manual_seed(seed)
        chance = torch.rand(len(self.rows), generator=generator).to(labels.device)
        present = self._here(labels)
        chance[labels[present] - self.rows.start] = 2.0
        count = max(1, round(self.sample * len(self.rows)), int((chance == 2.0).sum()))
        return chance.topk(count).indices.sort().values

    def _here(self, labels: Tensor) -> Tensor:
        return (labels >= self.rows.start) & (labels < self.rows.stop)

    def _living_here(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The embeddings whose labels are this rank's, and the columns of these among the classes that are seen."""
        here = self._here(labels).nonzero()[:, 0]
        columns = labels[here] - self.rows.start
        return here, columns if self._drawn is None else torch.searchsorted(self._drawn, columns)

    def extra_repr(self) -> str:
        return f"rows={self.rows.start}-{self.rows.stop}, sample={self.sample}"


class _LogSumExp(torch.autograd.Function):
    """Of the classes of one rank: logarithms of the sums of exponentials, and the logits of the labels, 0 elsewhere.

    ``(B, D), (B, D), (C_r, D), (H,), (H,) -> (B,), (B,)``: the logits are the one matrix that is ever there, and become
    the shares in their place. See :mod:`saree_cosface.heads.chunked`, which is this for one process.
    """

    @staticmethod
    def forward(
        ctx: Any,
        embeddings: Tensor,
        features: Tensor,
        prototypes: Tensor,
        here: Tensor,
        columns: Tensor,
        targets: chunked.Targets,
    ) -> tuple[Tensor, Tensor]:
        ctx.wanted = any(ctx.needs_input_grad[:3])
        with torch.enable_grad():  # of the targets alone, which are few
            seen = embeddings.detach()[here].requires_grad_(ctx.wanted)
            own = prototypes.detach()[columns].requires_grad_(ctx.wanted)
            target = targets(seen, own)
        inverse = chunked.inverse_lengths(prototypes)
        logits = (features @ prototypes.T).mul_(inverse)
        logits[here, columns] = target.detach()
        rows = max(1, _NUMBERS // len(prototypes))
        of_classes = torch.cat([part.logsumexp(dim=1) for part in torch.split(logits, rows)])
        of_labels = torch.zeros_like(of_classes).index_copy_(0, here, target.detach())
        if ctx.wanted:
            ctx.kept = logits, of_classes.clone(), seen, own, target, inverse, features, prototypes, here, columns
        return of_classes, of_labels

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_classes: Tensor, by_labels: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.kept is None:
            raise RuntimeError("the loss of a sharded head can be differentiated once; compute it again.")
        logits, of_classes, seen, own, target, inverse, features, prototypes, here, columns = ctx.kept
        ctx.kept = None
        with torch.autocast(features.device.type, enabled=False):  # in which a loss may be differentiated
            shares = logits.sub_(of_classes[:, None]).exp_().mul_(by_classes[:, None])
            to_target = by_labels[here] + shares[here, columns]
            shares[here, columns] = 0  # whose gradient goes by way of the target
            shares.mul_(inverse)
            to_features = shares @ prototypes
            to_prototypes = shares.T @ features
            del logits, shares
            chunked.across(to_prototypes, prototypes, inverse)
            to_seen, to_own = torch.autograd.grad(target, (seen, own), to_target)
            to_prototypes.index_add_(0, columns, to_own)
            to_embeddings = torch.zeros_like(features).index_add_(0, here, to_seen)
        return to_embeddings, to_features, to_prototypes, None, None, None


def _over_ranks(of_classes: Tensor, of_labels: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithm of the sum of exponentials over all ranks' classes, and the labels' logits: ``(B,), (B,)`` of each.

    Every rank computes the same from what it and the others found, so the gradient of its own part is whole without
    another exchange.
    """
    rank = place()[1]
    ours = torch.stack([of_classes, of_labels])
    each = from_each(ours.detach())
    each = torch.cat([each[:rank], ours[None], each[rank + 1 :]])
    return each[:, 0].logsumexp(dim=0), each[:, 1].sum(dim=0)
