"""How often predicted crafts are right. Labels and predictions are arrays (N,) of class indices or craft ids."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def top1(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Share of predictions that equal their label: ``(N,), (N,) -> float``.

    Raises:
        ValueError: the arrays are empty, not (N,), or not equally long.

    >>> top1(["patola", "patola", "kota"], ["patola", "kota", "kota"])  # doctest: +ELLIPSIS
    0.666...
    """
    labels, predictions = paired(labels, predictions)
    return float(np.mean(labels == predictions))


def balanced_accuracy(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Mean, over the crafts present in the labels, of the share of their photos that are right (mean recall).

    ``(N,), (N,) -> float``. A craft with five photos counts as much as one with five hundred; one that is only
    predicted has no recall and is left out.

    Raises:
        ValueError: the arrays are empty, not (N,), or not equally long.

    >>> balanced_accuracy(["patola", "patola", "patola", "kota"], ["patola", "patola", "patola", "patola"])
    0.5
    """
    labels, predictions = paired(labels, predictions)
    # Resampling asks thousands of times, and sorts nothing where crafts are numbered.
    numbered = labels.dtype.kind in "iu" and labels.min() >= 0 and labels.max() < 4 * len(labels)
    craft = labels if numbered else np.unique(labels, return_inverse=True)[1]
    counts = np.bincount(craft)
    right = np.bincount(craft, weights=labels == predictions)
    return float(np.mean(right[counts > 0] / counts[counts > 0]))


def macro_f1(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Mean F1 = 2 TP / (2 TP + FP + FN) over the crafts that occur in the labels or in the predictions.

    ``(N,), (N,) -> float``. A craft that is predicted but never present has F1 0, as in scikit-learn.

    Raises:
        ValueError: the arrays are empty, not (N,), or not equally long.

    >>> macro_f1([0, 0, 1, 1], [0, 1, 1, 1])  # doctest: +ELLIPSIS
    0.733...
    """
    labels, predictions = paired(labels, predictions)
    classes, index = np.unique(np.concatenate([labels, predictions]), return_inverse=True)
    true, predicted = index[: len(labels)], index[len(labels) :]
    hits = np.bincount(true[true == predicted], minlength=len(classes))
    # TP + FN photos carry the label and TP + FP the prediction, so their sum is 2 TP + FP + FN.
    total = np.bincount(true, minlength=len(classes)) + np.bincount(predicted, minlength=len(classes))
    return float(np.mean(2 * hits / total))


def family_accuracy(labels: ArrayLike, predictions: ArrayLike, family_of: Mapping[Any, Hashable]) -> float:
    """Share of predictions within the family (technique) of the labelled craft: ``(N,), (N,) -> float``.

    Args:
        labels: (N,) crafts.
        predictions: (N,) crafts.
        family_of: the family of each craft.

    Raises:
        ValueError: the arrays are empty, not (N,), or not equally long, or a craft has no family.

    >>> family_accuracy(["patola", "kota"], ["pochampally", "patola"],
    ...                 {"patola": "ikat", "pochampally": "ikat", "kota": "sheer check weave"})
    0.5
    """
    labels, predictions = paired(labels, predictions)
    crafts = set(labels.tolist()) | set(predictions.tolist())
    missing = sorted(str(craft) for craft in crafts if craft not in family_of)
    if missing:
        raise ValueError(f"no family is given for {', '.join(missing)}; add these crafts to family_of")
    same = [
        family_of[label] == family_of[guess] for label, guess in zip(labels.tolist(), predictions.tolist(), strict=True)
    ]
    return float(np.mean(same))


def confusion_matrix(labels: ArrayLike, predictions: ArrayLike, classes: Sequence[Any]) -> NDArray[np.int64]:
    """Counts (C, C): row i, column j holds the photos of ``classes[i]`` that were predicted as ``classes[j]``.

    Args:
        labels: (N,) crafts.
        predictions: (N,) crafts.
        classes: (C,) crafts in the order of the rows and columns.

    Raises:
        ValueError: the arrays are empty, not (N,), or not equally long; a class is listed twice; or a label or
            prediction is not listed.

    >>> confusion_matrix(["kota", "patola", "patola"], ["kota", "patola", "kota"], ["patola", "kota"])
    array([[1, 1],
           [0, 1]])
    """
    labels, predictions = paired(labels, predictions)
    position = {name: index for index, name in enumerate(np.asarray(classes).tolist())}
    if len(position) != len(classes):
        raise ValueError("classes lists a class more than once; list each once")
    unknown = sorted(str(name) for name in {*labels.tolist(), *predictions.tolist()} if name not in position)
    if unknown:
        raise ValueError(f"classes does not list {', '.join(unknown)}, which occur in the labels or predictions")
    matrix = np.zeros((len(classes), len(classes)), dtype=np.int64)
    rows = [position[name] for name in labels.tolist()]
    columns = [position[name] for name in predictions.tolist()]
    np.add.at(matrix, (rows, columns), 1)
    return matrix


def paired(labels: ArrayLike, predictions: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both as arrays (N,), N >= 1; raises ValueError where they are not."""
    labels, predictions = np.asarray(labels), np.asarray(predictions)
    if labels.ndim != 1 or labels.shape != predictions.shape:
        raise ValueError(
            f"labels have shape {labels.shape} and predictions {predictions.shape}; both must be (N,) with the same N"
        )
    if len(labels) == 0:
        raise ValueError("there are no labels to score")
    if (labels.dtype.kind in "US") != (predictions.dtype.kind in "US"):
        raise ValueError(
            f"labels are {labels.dtype} and predictions {predictions.dtype}; give both as names or both as indices"
        )
    return labels, predictions
