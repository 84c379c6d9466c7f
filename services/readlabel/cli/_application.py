"""From the words of a command line to a sub-command, and from its errors to an exit status.

A `ReadlabelError` ends a command with its own status, an interrupt with 130, a reader that has had enough with 141.
SIGTERM and SIGHUP unwind a command as an interrupt does, with 143 and 129.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

import typer
import typer.core
from rich.console import Console
from rich.table import Table

from readlabel.cli import COMMANDS, INTERRUPTED
from readlabel.messages import InputError, ReadlabelError

BROKEN_PIPE = 141
USAGE = 2
ENDED_BY = (signal.SIGTERM, signal.SIGHUP)
EXTRAS = {
    "simulate": "data",
    "import-reads": "data",
    "evaluate": "trainer",
    "label": "trainer",
    "export": "data",
    "report": "data",
    "check-device": "trainer",
    "verdict": "data",
}
"""Sub-command to the extra that its packages come with, where readlabel alone does not bring them."""
VALUES = {Path: "PATH", str: "TEXT", int: "N", float: "X", bool: ""}
"""Type of an option to what the help calls its value; a choice shows its words."""


class Command(typer.core.TyperCommand):
    """A command whose help shows an argument's name and no Python type."""

    def get_params(self, ctx: Any) -> Any:
        """The parameters; typer has no word to set for what it shows as an argument's type."""
        params = super().get_params(ctx)
        for param in params:
            if isinstance(param, typer.core.TyperArgument):
                param.display_type_rich = lambda **_: None  # type: ignore[method-assign]
        return params

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the words apart.

        Raises:
            InputError: options or arguments are missing; names all of them, where typer names the first.
        """
        words = list(args)
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            if type(error).__name__ != "MissingParameter":  # which typer keeps to itself
                raise
        given, _, _ = self.make_parser(ctx).parse_args(args=words)
        missing = [
            param.opts[0] if param.param_type_name == "option" else param.name.upper()
            for param in self.get_params(ctx)
            if param.required and param.value_is_missing(param.consume_value(ctx, given)[0])
        ]
        raise InputError(f"{', '.join(missing)} must be given; {ctx.command_path} --help explains")


def run(arguments: Sequence[str]) -> None:
    """Run a command line and exit."""
    if not arguments or arguments[0] in ("-h", "--help"):
        _print_help()
        sys.exit(0 if arguments else USAGE)
    name = arguments[0]
    if name not in COMMANDS:
        _fail(_unknown(name))
        sys.exit(USAGE)
    if name != "serve":  # which stops in an order of its own
        _unwind_on_signals()
    try:
        typer.main.get_command(_application(name))(args=list(arguments[1:]), prog_name=f"readlabel {name}")
    except ReadlabelError as error:  # of an option that does its work at once
        _fail(str(error))
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if name not in EXTRAS or (error.name or "").startswith("readlabel"):
            raise
        _fail(f"`readlabel {name}` needs the extra {EXTRAS[name]}: pip install 'readlabel[{EXTRAS[name]}]' ({error})")
        sys.exit(USAGE)


def _unwind_on_signals() -> None:
    """Let what is begun be put away: hidden files, other processes, a private service."""
    for number in ENDED_BY:
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup leaves SIGHUP
            signal.signal(number, _end)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    # Once is enough: a second signal must not break off the order in which things are put away.
    for each in ENDED_BY:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _application(name: str) -> typer.Typer:
    module = importlib.import_module(f"readlabel.cli.{name.replace('-', '_')}")
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(context_settings={"help_option_names": ["-h", "--help"]})(module.main)
    app.pretty_exceptions_enable = False
    for command in app.registered_commands:
        if command.callback is not None:
            command.cls = Command
            _name_values(command.callback)
            help_text = _flowing(command.callback)
            command.callback = _with_exit_status(command.callback)
            command.callback.__doc__ = help_text
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


def _name_values(command: Callable[..., Any]) -> None:
    """Give each option that has no word of its own for its value that of its type."""
    hints = get_type_hints(command, include_extras=True)
    for hint in hints.values():
        kind, *told = get_args(hint) or (hint,)
        while (parts := get_args(kind)) and get_origin(kind) is not Literal:  # of a list, or of what may be None
            kind = parts[0]
        for info in told:
            if isinstance(info, typer.models.OptionInfo) and info.metavar is None:
                info.metavar = VALUES.get(kind)
    command.__annotations__ = hints  # or typer would read the annotations' text anew


def _flowing(command: Callable[..., Any]) -> str:
    """A command's docstring with a line a paragraph, for the terminal to break; \\b keeps an example's lines."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    return "\n\n".join(text if text.startswith("\b") else " ".join(text.split("\n")) for text in paragraphs)


def _print_help() -> None:
    console = Console()
    console.print("\n Usage: readlabel COMMAND [OPTIONS]\n", markup=False)
    console.print(" Train the models that label each base of a long read with its segment.\n")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    for name, line in COMMANDS.items():
        table.add_row(f"[bold]{name}[/bold]", line)
    console.print(table)
    console.print("\n Each command explains itself:  readlabel simulate --help", markup=False)
    console.print(" Their examples follow one another, from:  readlabel grid --example tables", markup=False)
    console.print(" All in one, from tables to a report:  ./nextflow run . --help\n", markup=False)


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else "."
    return f"there is no command {name!r}{guess} The commands are {', '.join(COMMANDS)}."


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
