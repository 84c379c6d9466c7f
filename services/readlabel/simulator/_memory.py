"""How the process's allocator treats freed memory."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT = 1 << 28
_LARGEST_FROM_HEAP = 1 << 25
"""The most that glibc allows."""


def keep_freed_memory() -> None:
    """Let the C library keep the arrays of one group of reads for the next, where it is glibc.

    It would hand them back to the system and have them filled with zeros again, page by page: a sixth of the time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_FROM_HEAP)
        mallopt(_M_TRIM_THRESHOLD, _KEPT)
