"""The `readlabel` command: a sub-command a file, imported when it is called.

Every module of this package is one sub-command. Its function `main` is a typer command whose docstring is the help
text; a module with commands of its own (`runs`) has a typer `app` instead. Only this module turns errors into exit
statuses: a `ReadlabelError` into its own, an interrupt into 130.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from readlabel import __version__
from readlabel.messages import ReadlabelError

INTERRUPTED = 130
BROKEN_PIPE = 141
USAGE = 2

COMMANDS: dict[str, str] = {
    "simulate": "Simulate labelled reads of a library.",
    "import-reads": "Import reads and labels that tranquillyzer simulated.",
    "grid": "Expand a parameter table into its combinations.",
    "serve": "Run the training service.",
    "health": "Ask whether a training service serves.",
    "train": "Train one combination over a training service.",
    "gc": "Remove what a stopped service need not keep.",
    "runs": "List, watch, cancel, resume and fetch the runs of a service.",
    "evaluate": "Judge an exported model on labelled reads.",
    "label": "Label real reads with an exported model.",
    "export": "Lay a run out as tranquillyzer does, with its validation PDF.",
    "report": "Compare the variants of a grid.",
    "check-device": "Compare a GPU with the CPU.",
    "verdict": "Fail when any combination of a grid did.",
}
"""Sub-command to the line that `readlabel --help` shows, in the order of the work."""


def main() -> None:
    """Run the command line in `sys.argv` and exit."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help"):
        _print_help()
        sys.exit(0 if arguments else USAGE)
    if arguments[0] == "--version":
        print(f"readlabel {__version__}")
        sys.exit(0)
    name = arguments[0]
    if name not in COMMANDS:
        _fail(_unknown(name))
        sys.exit(USAGE)
    command = typer.main.get_command(_application(name))
    command(args=arguments[1:], prog_name=f"readlabel {name}")


def _application(name: str) -> typer.Typer:
    module = importlib.import_module(f"readlabel.cli.{name.replace('-', '_')}")
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False)
        app.command(context_settings={"help_option_names": ["-h", "--help"]})(module.main)
    app.pretty_exceptions_enable = False
    for command in app.registered_commands:
        if command.callback is not None:
            command.callback = _with_exit_status(command.callback)
    return app


def _with_exit_status(command: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except ReadlabelError as error:
            _fail(str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            _fail("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # A reader such as `head` has had enough; keep Python from failing again when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(BROKEN_PIPE) from None

    return run


def _print_help() -> None:
    console = Console()
    console.print("\n Usage: readlabel COMMAND [OPTIONS]\n", markup=False)
    console.print(" Train the models that label every base of a long sequencing read with its segment.\n")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    for name, line in COMMANDS.items():
        table.add_row(f"[bold]{name}[/bold]", line)
    console.print(table)
    console.print("\n Each command explains itself:  readlabel simulate --help", markup=False)
    console.print(" The whole way, from tables to a report:  ./nextflow run . --help\n", markup=False)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else "."
    return f"there is no command {name!r}{guess} The commands are {', '.join(COMMANDS)}."


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
