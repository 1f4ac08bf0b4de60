"""How probable each label is to those who never saw the photo, nor its source: the evidence for errors in labels.

Whoever learns from a wrong label comes to believe in it, and a shop's mistake is shared by all of its photos. So each
photo is judged twice, by a classifier that learned from no photo of its source and by one that learned from none of
its piece. The first sees the mistakes of a whole shop, which the second believes; the second, who knows a shop by its
other photos, sees single mistakes better. Both learn on features of a backbone that no label has bent, so that twenty
thousand photos take seconds.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saree_cosface.console import track
from saree_cosface.data.manifest import Manifest, manifest_of
from saree_cosface.data.splits import Protocol, SplitError, make_split
from saree_cosface.machine import threads

FOLDS = 5

_STRENGTH = 0.01
"""C of the logistic regression. Of 0.001, 0.01, shrunken LDA, k-NN and principal components before it, the one that
found most planted errors in labels: benchmarks/RESULTS.md."""

_LEAST = 1e-6  # a probability; none is believed to be 0


@dataclass(frozen=True, eq=False)
class HeldOutLabels:
    """Labels as seen from outside.

    Attributes:
        crafts: ids, in the order of the columns, C of them.
        labels: of each photo, an index of ``crafts``, ``(N,)``; -1 where it has none, which nobody judges.
        probabilities: of each craft, the geometric mean over the judges, ``(N, C)``; each row sums to 1, or is NaN
            where no judge knew the label.
        judges: how many knew the label, ``(N,)``: one that had to learn without the only source of a craft did not.
    """

    crafts: NDArray[np.str_]
    labels: NDArray[np.int_]
    probabilities: NDArray[np.float64]
    judges: NDArray[np.int_]

    @property
    def own(self) -> NDArray[np.float64]:
        """Probability of each photo's own label, ``(N,)``."""
        found: NDArray[np.float64] = self.probabilities[np.arange(len(self.labels)), self.labels]
        return found

    @property
    def rivals(self) -> NDArray[np.int_]:
        """The most probable other craft of each photo, ``(N,)``."""
        others = np.nan_to_num(self.probabilities)
        others[np.arange(len(self.labels)), self.labels] = -1
        found: NDArray[np.int_] = others.argmax(axis=1)
        return found


def held_out_labels(
    manifest: Manifest,
    features: NDArray[np.floating[Any]],
    *,
    duplicate_groups: NDArray[np.int_] | None = None,
    hold_out: Sequence[Protocol] = ("source", "piece"),
    seed: int = 0,
) -> HeldOutLabels:
    """Judge every label of a manifest out of fold.

    Args:
        manifest: photos; one of unknown source counts as a source of its own.
        features: of a backbone that learned from none of them, ``(N, F)``.
        duplicate_groups: of near-duplicates, which stay together.
        hold_out: what is kept from each judge together with the photo.
        seed: of the folds.
    """
    crafts = np.unique(manifest.crafts[manifest.crafts != ""])
    labels = np.where(manifest.crafts == "", -1, np.searchsorted(crafts, manifest.crafts))
    inputs = features.astype(np.float32)
    inputs /= np.maximum(np.linalg.norm(inputs, axis=1, keepdims=True), 1e-12)
    known = np.where(manifest.sources == "", np.char.add("unknown ", manifest.pieces), manifest.sources)
    manifest = manifest_of(manifest.table.assign(source=known.astype(object)), manifest.root)
    logs = np.zeros((len(manifest), len(crafts)))
    judges = np.zeros(len(manifest), np.int_)
    jobs = [rows for what in hold_out for rows in _folds(manifest, what, duplicate_groups, seed)]
    # A fold a core: within one, several threads of linear algebra are slower than one.
    with threads.limited(1), ThreadPoolExecutor(min(threads.count(), FOLDS)) as pool:
        verdicts = pool.map(lambda rows: _judged(inputs, labels, rows[0], rows[1], len(crafts)), jobs)
        for test, said in track(verdicts, "Judging labels, source and piece held out", total=len(jobs)):
            logs[test] += said
            judges[test] += 1
    mean = np.exp(logs / np.maximum(judges, 1)[:, None])
    probabilities = np.where(judges[:, None] > 0, mean / mean.sum(axis=1, keepdims=True), np.nan)
    return HeldOutLabels(crafts, labels, probabilities, judges)


def _judged(
    inputs: NDArray[np.float32], labels: NDArray[np.int_], train: NDArray[np.int_], test: NDArray[np.int_], count: int
) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    """The test photos whose label the training photos have, ``(T,)``, and logarithms of probabilities, ``(T, C)``."""
    train = train[labels[train] >= 0]
    test = test[np.isin(labels[test], labels[train])]
    said = np.zeros((len(test), count))
    if not len(test) or len(np.unique(labels[train])) < 2:
        return test[:0], said[:0]
    from sklearn.linear_model import LogisticRegression  # scikit-learn is slow to import
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    judge = make_pipeline(StandardScaler(), LogisticRegression(C=_STRENGTH, max_iter=500))
    judge.fit(inputs[train], labels[train])
    said[:, judge.classes_] = judge.predict_proba(inputs[test])
    return test, np.log(np.maximum(said, _LEAST))


def _folds(
    manifest: Manifest, what: Protocol, duplicate_groups: NDArray[np.int_] | None, seed: int
) -> list[tuple[NDArray[np.int_], NDArray[np.int_]]]:
    for count in range(FOLDS, 1, -1):
        try:
            split = make_split(manifest, what, n_folds=count, seed=seed, duplicate_groups=duplicate_groups)
        except SplitError:  # too few sources, pieces or photos for so many
            continue
        return [split.rows(manifest, fold) for fold in range(split.n_folds)]
    return []
