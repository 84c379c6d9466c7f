"""Check proto/ with buf: its style, and that it still keeps the promises of the committed descriptor.

    python tools/buf.py             lint, and compare with proto/readlabel.binpb
    python tools/buf.py --release   make the API as it stands the promise (after a compatible change)

The descriptor is what callers elsewhere were compiled against: a field may be added, never renumbered or retyped.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUF = Path(sysconfig.get_path("scripts")) / "buf"
DESCRIPTOR = "proto/readlabel.binpb"


def main() -> int:
    """Return the exit status of the first check that fails."""
    commands = [["lint"], ["breaking", "--against", DESCRIPTOR]]
    if sys.argv[1:] == ["--release"]:
        commands.append(["build", "--exclude-source-info", "-o", DESCRIPTOR])
    for command in commands:
        status = subprocess.run([BUF, *command], cwd=ROOT, check=False).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
