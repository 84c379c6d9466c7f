"""Few distinct shapes: the lengths that batches are padded to.

TensorFlow's convolutions prepare themselves for every shape they meet, so batches are padded to one of a few lengths.
Padding changes no result (`readlabel.model.network`), it only costs its share of the arithmetic.
"""

from __future__ import annotations

_STEP = 32
"""What the LSTM goes through in one piece (`readlabel.model.lstm_chunks`)."""


def bucket_length(length: int) -> int:
    """The padded length for reads of up to `length` bases: a multiple of 32, from 512 on at most a sixteenth more.

    Lengths between two powers of two share 16 buckets, so that any set of reads up to 100,000 bases meets fewer
    than 140 lengths, and one of ordinary reads (100 to 4,000 bases) about 60.

    Args:
        length: bases, at least 0.

    Example:
        >>> [bucket_length(length) for length in (1, 130, 500, 1000, 3648)]
        [32, 160, 512, 1024, 3712]
    """
    if length <= _STEP:
        return _STEP
    step = max(_STEP, 1 << ((length - 1).bit_length() - 5))
    return -(-length // step) * step
