"""How much of the padding behind a read its training sees: seed and read ids in, tail lengths out.

tranquillyzer's inference pads reads with token 0 and lets convolutions and LSTM run over the padding. A network that
never met a tail of zeros would read nonsense there, backwards, before it comes to the read's last base. So some reads
are trained with a tail: zeros that the network sees and that nothing asks a label of. Others have none, because
readlabel itself predicts a read on its own. ``docs/training.md`` says how the shares were chosen.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

LONGEST_TAIL = 510
"""tranquillyzer pads to the end of a length bin of 500 bases, and 10 more."""
_SHORT_TAIL = 64
_SHARE_WITHOUT = 0.5
_SHARE_LONG = 0.02


def visible_tails(read_ids: Iterable[str], seed: int) -> NDArray[np.int64]:
    """Draw each read's tail. It depends on the seed and the read's id only, not on its place among other reads.

    Half of the reads have none, a fiftieth one of up to `LONGEST_TAIL` zeros, the others one of up to 64; lengths are
    uniform.

    Args:
        read_ids: (n,) names of the reads.
        seed: the run's seed.

    Returns:
        (n,) zeros behind each read.
    """
    # The modulus 2^64 of unsigned arithmetic is what the mixer is defined with.
    ids = np.array([zlib.crc32(str(read_id).encode()) for read_id in read_ids], np.uint64)
    kind = _uniform(ids | np.uint64(seed << 32))
    share = _uniform(~ids ^ np.uint64(seed << 32))
    longest = np.where(kind < _SHARE_WITHOUT, 0, np.where(kind < 1 - _SHARE_LONG, _SHORT_TAIL, LONGEST_TAIL))
    return np.ceil(share * longest).astype(np.int64)


def _uniform(numbers: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Numbers spread evenly over [0, 1): the finaliser of SplitMix64 (Steele et al. 2014)."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (mixed ^ (mixed >> np.uint64(31))).astype(np.float64) / 2.0**64
