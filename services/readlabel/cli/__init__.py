"""The `readlabel` command: a sub-command a file, imported when it is called.

Every module of this package is one sub-command. Its function `main` is a typer command whose docstring is the help
text; a module with commands of its own (`runs`) has a typer `app` instead. `_application` turns errors into exit
statuses. This module imports nothing but the standard library, so that Ctrl-C ends in one line from the first moment.
"""

from __future__ import annotations

import sys

INTERRUPTED = 130

COMMANDS: dict[str, str] = {
    "simulate": "Simulate labelled reads of a library.",
    "import-reads": "Import reads and labels that tranquillyzer simulated.",
    "grid": "Expand a parameter table into its combinations.",
    "serve": "Run the training service.",
    "health": "Ask whether a training service serves.",
    "train": "Train one combination over a training service.",
    "gc": "Remove what a stopped service need not keep.",
    "runs": "List, watch, cancel, resume, download runs of a service.",
    "evaluate": "Judge an exported model on labelled reads.",
    "label": "Label real reads with an exported model.",
    "export": "Lay a run out as tranquillyzer does, and draw its reads.",
    "report": "Compare the variants of a grid.",
    "check-device": "Compare a GPU with the CPU.",
    "verdict": "Fail when any combination of a grid did.",
}
"""Sub-command to the line that `readlabel --help` shows, in the order of the work."""


def main() -> None:
    """Run the command line in `sys.argv` and exit."""
    try:
        if sys.argv[1:] == ["--version"]:
            from readlabel import __version__

            print(f"readlabel {__version__}")
            return
        from readlabel.cli._application import run

        run(sys.argv[1:])
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
