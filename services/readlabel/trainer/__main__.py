"""``python -m readlabel.trainer [RUN_DIR]``: see `readlabel.trainer.worker`."""

from __future__ import annotations

import sys

from readlabel.trainer.channel import take_standard_output
from readlabel.trainer.leave import leave


def main() -> int:
    """Keep standard output for events before anything can print, then import TensorFlow and be a worker."""
    events = take_standard_output()
    from readlabel.trainer.worker import work

    return work(events, sys.argv[1:])


if __name__ == "__main__":
    leave(main())
