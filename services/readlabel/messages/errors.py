"""Every error a user can meet, and the exit status it ends a command with.

`ReadlabelError` is the root. A command that meets one prints its text, and nothing else, to standard error. The
numbers follow sysexits.h where it has a word for the case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ReadlabelError(Exception):
    """The root: something a user can act on. Its text says what, where, and what is allowed."""

    exit_code = 1


@dataclass(frozen=True)
class Problem:
    """One finding about an input.

    Attributes:
        where: the place, as a user would point at it: ``params.tsv, row batch_size, column mylib``.
        message: what is wrong with it and what is allowed.
    """

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class InputError(ReadlabelError):
    """An input cannot be used. Carries every problem found, not only the first."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        self.problems = (Problem("", problems),) if isinstance(problems, str) else tuple(problems)
        count = len(self.problems)
        head = "" if count == 1 else f"{count} problems:\n"
        bullet = "" if count == 1 else "  - "
        super().__init__(head + "\n".join(f"{bullet}{problem}" for problem in self.problems))


class OutputError(ReadlabelError):
    """A result cannot be written: no permission, no such folder, no space."""

    exit_code = 73


class ServiceUnavailableError(ReadlabelError):
    """No training service answers at the address. The text says what was tried."""

    exit_code = 69


class AddressInUseError(ReadlabelError):
    """A service cannot listen where it is told to: somebody does already, or the address is not to be had."""

    exit_code = 71


class StoreError(ReadlabelError):
    """A service's run store cannot be used; nothing in it was changed."""

    exit_code = 74


class ServiceMismatchError(ReadlabelError):
    """The service answers but is of a version this client cannot work with."""

    exit_code = 76


class ServiceError(ReadlabelError):
    """The service refused a call or broke off. `reason` is its ErrorInfo reason, or the gRPC status name."""

    exit_code = 70

    def __init__(self, message: str, reason: str = "UNKNOWN") -> None:
        super().__init__(message)
        self.reason = reason


class ServiceRefusedError(ServiceError):
    """The service does not let this caller in: no token, a wrong one, or one of too little scope."""

    exit_code = 77


class RunStateError(ServiceError):
    """The run is in a state that what was asked does not go with: it has ended, or has not."""

    exit_code = 65


class TrainingFailedError(ReadlabelError):
    """A run ended FAILED for a reason that lies in the machine, so that trying again can help."""

    exit_code = 75
