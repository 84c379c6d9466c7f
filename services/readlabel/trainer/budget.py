"""How large the batches of a prediction may be; nothing here imports TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """How large the batches of a prediction may be; names and defaults are those of tranquillyzer's options.

    Attributes:
        target_tokens: positions of a batch, padding included.
        min_batch_size: reads of a batch at least, also after memory ran out.
        max_batch_size: reads of a batch at most.
        vram_headroom: share of a GPU's memory left free.
    """

    target_tokens: int = 1_200_000
    min_batch_size: int = 1
    max_batch_size: int = 8192
    vram_headroom: float = 0.35
