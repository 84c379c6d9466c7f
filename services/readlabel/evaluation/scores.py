"""Predicted labels against the truth, base by base and read by read.

Enter: the label names, where each read begins in the flat label arrays, and the two label arrays. Leave: `Scores`.
Every figure comes from two passes over the bases: a confusion matrix, and the runs of equal labels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from readlabel.messages import LabelScore, Scores

Labels = NDArray[np.uint8]
Offsets = NDArray[np.int64]


def score(label_names: Sequence[str], offsets: Offsets, true_labels: Labels, predicted_labels: Labels) -> Scores:
    """Judge a set of predicted reads.

    Precision, recall and F1 of a label count bases; where a ratio has nothing to divide by it is 0. Macro-F1 is the
    mean over the labels that occur in the truth or in the prediction: a label that these reads happen not to hold
    says nothing about the model, one that is predicted without being there counts as 0. The order of a read is exact
    when its labels, each run of equal ones taken once, are the true ones. A segment is a run of one label in the
    truth; it is cut out exactly when the prediction has a run of that label with the same first and last base. The
    accuracy's standard error is that of a ratio of sums over reads, since the bases of one read err together. Without
    any base every figure is 0.

    Args:
        label_names: the labels, in the order that their indices have in the arrays.
        offsets: (reads + 1,) where each read begins; the last entry is the number of bases.
        true_labels: (bases,) indices into `label_names`.
        predicted_labels: (bases,) the same for the prediction.

    Raises:
        ValueError: the arrays do not fit each other, or a label index has no name.

    Example:
        Two reads of four bases; the second one's adapter is found one base too long.

        >>> import numpy as np
        >>> truth = np.array([0, 0, 1, 1, 0, 1, 1, 1], np.uint8)
        >>> found = np.array([0, 0, 1, 1, 0, 0, 1, 1], np.uint8)
        >>> scores = score(("5p", "cDNA"), np.array([0, 4, 8]), truth, found)
        >>> scores.accuracy, scores.exact_order, scores.confusion
        (0.875, 1.0, ((3, 0), (1, 4)))
        >>> [round(label.f1, 3) for label in scores.labels], round(scores.macro_f1, 3)
        ([0.857, 0.889], 0.873)
    """
    _check(label_names, offsets, true_labels, predicted_labels)
    confusion = _confusion(len(label_names), true_labels, predicted_labels)
    hits = np.diag(confusion)
    true_bases, predicted_bases = confusion.sum(axis=1), confusion.sum(axis=0)
    precision, recall = _ratio(hits, predicted_bases), _ratio(hits, true_bases)
    f1 = _ratio(2 * hits, true_bases + predicted_bases)
    occurs = (true_bases + predicted_bases) > 0
    true_segments, exact_segments = _segments(len(label_names), offsets, true_labels, predicted_labels)
    exact = exact_order(offsets, true_labels, predicted_labels)
    return Scores(
        reads=len(offsets) - 1,
        bases=len(true_labels),
        accuracy=float(hits.sum() / max(1, len(true_labels))),
        accuracy_error=_accuracy_error(offsets, true_labels == predicted_labels),
        macro_f1=float(f1[occurs].mean()) if occurs.any() else 0.0,
        exact_order=float(exact.mean()) if exact.size else 0.0,
        labels=tuple(
            LabelScore(
                label=name,
                precision=float(precision[i]),
                recall=float(recall[i]),
                f1=float(f1[i]),
                true_bases=int(true_bases[i]),
                predicted_bases=int(predicted_bases[i]),
                true_segments=int(true_segments[i]),
                exact_segments=int(exact_segments[i]),
            )
            for i, name in enumerate(label_names)
        ),
        confusion=tuple(tuple(int(bases) for bases in row) for row in confusion),
    )


def exact_order(offsets: Offsets, true_labels: Labels, predicted_labels: Labels) -> NDArray[np.bool_]:
    """Say of each read whether its order of segments is the true one.

    Args:
        offsets: (reads + 1,) where each read begins.
        true_labels: (bases,) label indices.
        predicted_labels: (bases,) label indices.

    Returns:
        (reads,) True where the runs of equal labels, lengths aside, agree.

    Example:
        >>> import numpy as np
        >>> exact_order(np.array([0, 3, 6]), np.array([0, 1, 1, 0, 1, 1]), np.array([0, 0, 1, 1, 1, 1]))
        array([ True, False])
    """
    true_runs, true_counts = _runs(offsets, true_labels)
    found_runs, found_counts = _runs(offsets, predicted_labels)
    comparable = true_counts == found_counts
    # Reads with as many runs as they should have line up run by run, so one comparison serves them all.
    true_aligned = true_runs[np.repeat(comparable, true_counts)]
    found_aligned = found_runs[np.repeat(comparable, found_counts)]
    wrong = np.concatenate([[0], np.cumsum(true_aligned != found_aligned)])
    ends = np.cumsum(np.where(comparable, true_counts, 0))
    starts = ends - np.where(comparable, true_counts, 0)
    return np.asarray(comparable & (wrong[ends] == wrong[starts]))


def _runs(offsets: Offsets, labels: Labels) -> tuple[Labels, NDArray[np.int64]]:
    """The label of each run, flat, and the number of runs of each read."""
    starts = _starts(offsets, labels)
    before = np.concatenate([[0], np.cumsum(starts)])
    return labels[starts], np.diff(before[offsets])


def _starts(offsets: Offsets, labels: Labels) -> NDArray[np.bool_]:
    """(bases,) True where a run begins; no run goes from one read into the next."""
    starts = np.ones(len(labels), np.bool_)
    starts[1:] = labels[1:] != labels[:-1]
    begins = offsets[:-1]
    starts[begins[begins < len(labels)]] = True
    return starts


def _segments(
    size: int, offsets: Offsets, true_labels: Labels, predicted_labels: Labels
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many true runs each label has, and how many of them are runs of the prediction, base for base."""
    edges = [
        np.append(np.flatnonzero(_starts(offsets, labels)), len(labels)) for labels in (true_labels, predicted_labels)
    ]
    true, found = edges
    begins, ends = true[:-1], true[1:]
    # A predicted run that begins with a true one has its end at the next predicted edge.
    place = np.minimum(np.searchsorted(found, begins, side="right"), len(found) - 1)
    same = np.isin(begins, found) & (found[place] == ends) & (true_labels[begins] == predicted_labels[begins])
    return np.bincount(true_labels[begins], minlength=size), np.bincount(true_labels[begins[same]], minlength=size)


def _accuracy_error(offsets: Offsets, right: NDArray[np.bool_]) -> float:
    if not len(right):
        return 0.0
    bases = np.diff(offsets)
    hits = np.diff(np.concatenate([[0], np.cumsum(right)])[offsets])
    return float(np.sqrt(((hits - right.mean() * bases) ** 2).sum()) / len(right))


def _confusion(size: int, true_labels: Labels, predicted_labels: Labels) -> NDArray[np.int64]:
    pairs = true_labels.astype(np.int64) * size + predicted_labels
    return np.bincount(pairs, minlength=size * size).reshape(size, size)


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def _check(label_names: Sequence[str], offsets: Offsets, true_labels: Labels, predicted_labels: Labels) -> None:
    if len(true_labels) != len(predicted_labels):
        raise ValueError(f"{len(predicted_labels)} predicted labels for {len(true_labels)} bases")
    if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != len(true_labels) or np.any(np.diff(offsets) < 0):
        raise ValueError(f"offsets must rise from 0 to the number of bases, {len(true_labels)}")
    for name, labels in (("true", true_labels), ("predicted", predicted_labels)):
        if len(labels) and int(labels.max()) >= len(label_names):
            raise ValueError(f"{name} label {int(labels.max())} has no name: there are {len(label_names)} labels")
