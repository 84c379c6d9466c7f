"""Which reads are trained on and which are watched: pairs of reads in, two sets of read numbers out.

One permutation of the pairs, drawn from the seed alone, serves every variant of a grid: the first part of it is trained
on. So variants are compared on the same split, the training set of a smaller fraction lies within that of a larger
one, and a read and its reverse complement are never on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from readlabel.trainer.failures import RunFailed

_STREAM = 1
"""Keeps the split's random numbers apart from those of other uses of the same seed."""


@dataclass(frozen=True)
class Split:
    """The two sides, as ascending read numbers.

    Attributes:
        training: reads that the network learns from; empty with train_fraction 0.
        internal_validation: reads that early stopping watches; empty with train_fraction 1.
    """

    training: NDArray[np.int64]
    internal_validation: NDArray[np.int64]


def split_by_pairs(pair: NDArray[np.int64], train_fraction: float, seed: int) -> Split:
    """Split reads so that `train_fraction` of their pairs is trained on.

    The number of training pairs is rounded down. With 0 < train_fraction < 1 both sides need a pair.

    Args:
        pair: (reads,) which pair each read belongs to.
        train_fraction: from 0 to 1 inclusive.
        seed: the run's seed.

    Raises:
        RunFailed: INVALID_INPUT without any read, INVALID_PARAMETERS where a side would be empty.

    Example:
        >>> import numpy as np
        >>> sides = split_by_pairs(np.array([0, 0, 1, 1, 2, 2, 3, 3]), 0.5, seed=1)
        >>> len(sides.training), len(sides.internal_validation)
        (4, 4)
    """
    pairs, member = np.unique(pair, return_inverse=True)
    if not len(pairs):
        raise RunFailed("INVALID_INPUT", "the training reads hold no read")
    # 0.29 × 100 is 28.999…: a billionth keeps what is whole on paper whole.
    count = int(np.floor(train_fraction * len(pairs) + 1e-9))
    if 0 < train_fraction < 1 and not 0 < count < len(pairs):
        side = "to train on" if count == 0 else "for the internal validation"
        raise RunFailed(
            "INVALID_PARAMETERS",
            f"train_fraction {train_fraction:g} of {len(pairs)} read pairs leaves none {side}: simulate more reads, or "
            f"take a fraction from {1 / len(pairs):.3g} up to, but not, 1 (1 itself trains on every read)",
        )
    place = np.empty(len(pairs), np.int64)
    place[np.random.default_rng([seed, _STREAM]).permutation(len(pairs))] = np.arange(len(pairs))
    trained = place[member] < count
    return Split(np.flatnonzero(trained).astype(np.int64), np.flatnonzero(~trained).astype(np.int64))
