"""Labels for reads: batches of similar length under a budget of positions, in inference mode.

A network and reads enter; one label a base leaves. Reads are sorted by length, so a batch holds little padding, and a
batch that does not fit into memory is halved. Batch-mates and padding do not influence a read's labels.

Under ``padding="tranquillyzer"`` each read is seen as tranquillyzer's annotation shows it to the network: followed by
zeros up to the end of its length bin and 10 more, over which its CRF decodes too. So the labels are what its users get.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from readlabel.messages import TrainingFailedError
from readlabel.model.buckets import bucket_length
from readlabel.model.network import Network
from readlabel.reads.labelled import LabelledReads

Padding = Literal["none", "tranquillyzer"]

_CPU_TOKENS = 1 << 16
"""Positions of a batch on a CPU: more are no faster, they only leave the caches (measured)."""
_CPU_BYTES = 1 << 30
"""Of a batch on a CPU, where no error but the system's end of the process tells that memory is short."""

_BINS = ((10_000, 500), (50_000, 5_000), (100_000, 10_000))
_LAST_BIN = 25_000
_BEYOND_BIN = 10


@dataclass(frozen=True)
class PredictionProgress:
    """How far a prediction is.

    Attributes:
        bases: labelled so far.
        total_bases: to label in all.
        seconds: since it began.
        batch_size: reads in the batch just finished.
    """

    bases: int
    total_bases: int
    seconds: float
    batch_size: int

    @property
    def bases_per_second(self) -> float:
        """Real bases labelled a second."""
        return self.bases / self.seconds if self.seconds else 0.0


def predict(
    network: Network,
    reads: LabelledReads,
    *,
    padding: Padding = "none",
    target_tokens: int = 1_200_000,
    min_batch_size: int = 1,
    max_batch_size: int = 8192,
    vram_headroom: float = 0.35,
    progress: Callable[[PredictionProgress], None] | None = None,
) -> NDArray[np.uint8]:
    """Label every base of every read.

    Args:
        network: with its batch-norm statistics set.
        reads: their own labels are not looked at.
        padding: ``none`` shows the network the read alone, ``tranquillyzer`` the zeros that tranquillyzer appends.
        target_tokens: positions of a batch, padding included; 65,536 at most on a CPU. This and the following are named
            as in tranquillyzer.
        min_batch_size: reads of a batch at least, also when they exceed the budget.
        max_batch_size: reads of a batch at most.
        vram_headroom: share of a GPU's memory left free.
        progress: told after every batch.

    Returns:
        (bases,) index into the network's labels, at each read's offsets.

    Raises:
        TrainingFailedError: `min_batch_size` reads do not fit into memory.
    """
    lengths = reads.lengths
    visible = tranquillyzer_visible(lengths) if padding == "tranquillyzer" else lengths
    most_tokens = target_tokens
    labels = np.zeros(reads.num_bases, np.uint8)
    begin, done = time.monotonic(), 0
    order = np.argsort(visible, kind="stable")[::-1]  # longest first: what does not fit shows at once
    limit = max_batch_size
    while len(order):
        longest = bucket_length(int(visible[order[0]]))
        budget = min(most_tokens, _device_tokens(network, longest, vram_headroom))
        size = _batch_size(longest, len(order), budget, min_batch_size, limit)
        batch = order[:size]
        try:
            found = _label(network, reads, batch, visible[batch], decode_tail=padding == "tranquillyzer")
        except tf.errors.ResourceExhaustedError as error:
            if size <= min_batch_size:
                raise TrainingFailedError(
                    f"{size} reads of up to {visible[order[0]]} positions do not fit into memory: "
                    f"lower min_batch_size or use a device with more memory"
                ) from error
            limit = max(min_batch_size, size // 2)
            most_tokens = limit * longest
            continue
        for row, read in enumerate(batch):
            labels[reads.offsets[read] : reads.offsets[read + 1]] = found[row, : lengths[read]]
        order = order[size:]
        done += int(lengths[batch].sum())
        if progress:
            progress(PredictionProgress(done, reads.num_bases, time.monotonic() - begin, size))
    return labels


def tranquillyzer_visible(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions that tranquillyzer's annotation shows its network for reads of these lengths.

    It bins reads by length, 500 bases a bin up to 10,000 bases, 5,000 up to 50,000, 10,000 up to 100,000 and 25,000
    beyond, and pads to the last length of the bin plus 10 (tranquillyzer v0.2.2).
    """
    width = np.full(len(lengths), _LAST_BIN, np.int64)
    for below, bin_width in reversed(_BINS):
        width[lengths < below] = bin_width
    return (lengths // width + 1) * width - 1 + _BEYOND_BIN


def _batch_size(longest: int, left: int, budget: int, least: int, most: int) -> int:
    """Reads of the next batch: a power of two, so that few shapes are compiled.

    Args:
        longest: positions of its longest read.
        left: reads that are still to label.
        budget: positions, padding included.
        least: reads at least.
        most: reads at most.
    """
    fitting = min(max(1, budget // longest), most)
    return min(max(least, 1 << (fitting.bit_length() - 1)), left)


def _label(
    network: Network,
    reads: LabelledReads,
    batch: NDArray[np.int64],
    visible: NDArray[np.int64],
    *,
    decode_tail: bool,
) -> NDArray[np.uint8]:
    """Labels ``(batch, time)`` of some reads; undefined beyond each read's end."""
    tokens = np.zeros((len(batch), bucket_length(int(visible.max()))), np.uint8)
    for row, read in enumerate(batch):
        found = reads.tokens_of(int(read))
        tokens[row, : len(found)] = found
    lengths = visible if decode_tail else reads.lengths[batch]
    return np.asarray(network.label_graph(tokens, lengths.astype(np.int32), visible.astype(np.int32)))


def _device_tokens(network: Network, longest: int, headroom: float) -> int:
    """Positions that fit into the device's memory, or that are worth batching on a CPU, in rows of this length."""
    if not tf.config.list_logical_devices("GPU"):
        return min(_CPU_TOKENS, _CPU_BYTES // network.bytes_per_position(longest))
    return int(_memory_limit() * (1 - headroom)) // network.bytes_per_position(longest)


def _memory_limit() -> int:
    """Bytes that TensorFlow may use on its first GPU."""
    from tensorflow.python.client import device_lib

    return next(device.memory_limit for device in device_lib.list_local_devices() if device.device_type == "GPU")
