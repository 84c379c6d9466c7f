"""Import each room with its own extra alone, in a virtual environment that holds nothing else.

An image is an extra. A room that imports, however indirectly, what its image lacks would only fail in a container on
somebody's cluster; here it fails first. A command that is called without its extra must say so, not end in a traceback.
Versions come from the lock file.
"""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from pathlib import Path

from readlabel.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "extras"

ROOMS = {
    "": ["messages", "tables", "artifacts", "v1", "wire", "client", "server", "cli"],
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


def explains_itself(python: Path, command: str) -> bool:
    """Whether a command shows its help, or names in one line the extra that it needs."""
    arguments = [python, "-I", "-m", "readlabel.cli", command, "--help"]
    done = subprocess.run(arguments, cwd=BUILD, check=False, capture_output=True, text=True)
    named = done.stderr.startswith("error: ") and "pip install 'readlabel[" in done.stderr
    return (done.returncode == 0 and "Example" in done.stdout) or (named and "Traceback" not in done.stderr)


def main() -> int:
    """Return the number of imports and commands that failed."""
    constraints = BUILD / "constraints.txt"
    BUILD.mkdir(parents=True, exist_ok=True)
    pins = re.findall(r"^([a-zA-Z0-9_.-]+==[^ \\;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    constraints.write_text("\n".join(pins) + "\n")
    failed = 0
    for extra, rooms in ROOMS.items():
        home = BUILD / (extra or "bare")
        python = home / "bin" / "python"
        if not python.exists():
            venv.create(home, with_pip=True)
        wheel = f"{ROOT}[{extra}]" if extra else str(ROOT)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--constraint", constraints, wheel], check=True)
        # The wheel just built is what is imported, not the checkout.
        for room in rooms:
            status = subprocess.run([python, "-I", "-c", f"import readlabel.{room}"], cwd=BUILD, check=False).returncode
            failed += status != 0
            print(f"{extra or 'bare':8} readlabel.{room:16} {'ok' if status == 0 else 'FAILED'}", flush=True)
        for command in COMMANDS:
            well = explains_itself(python, command)
            failed += not well
            print(f"{extra or 'bare':8} {command + ' --help':26} {'ok' if well else 'FAILED'}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
