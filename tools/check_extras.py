"""Import each room with its own extra alone, in a virtual environment that holds nothing else.

An image is an extra. A room that imports, however indirectly, what its image lacks would only fail in a container on
somebody's cluster; here it fails first. Versions come from the lock file.
"""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "extras"

ROOMS = {
    "client": [
        "messages",
        "tables",
        "artifacts",
        "v1",
        "wire",
        "client",
        "server",
        "cli",
        "cli.grid",
        "cli.train",
        "cli.serve",
    ],
    "data": [
        "reads",
        "simulator",
        "evaluation",
        "report",
        "cli.simulate",
        "cli.import_reads",
        "cli.export",
        "cli.report",
    ],
}


def main() -> int:
    """Return the number of extras that failed."""
    constraints = BUILD / "constraints.txt"
    BUILD.mkdir(parents=True, exist_ok=True)
    pins = re.findall(r"^([a-zA-Z0-9_.-]+==[^ \\;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    constraints.write_text("\n".join(pins) + "\n")
    failed = 0
    for extra, rooms in ROOMS.items():
        home = BUILD / extra
        python = home / "bin" / "python"
        if not python.exists():
            venv.create(home, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--constraint", constraints, f"{ROOT}[{extra}]"], check=True
        )
        # The wheel just built is what is imported, not the checkout.
        for room in rooms:
            status = subprocess.run([python, "-I", "-c", f"import readlabel.{room}"], cwd=BUILD, check=False).returncode
            failed += status != 0
            print(f"{extra:8} readlabel.{room:16} {'ok' if status == 0 else 'FAILED'}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
