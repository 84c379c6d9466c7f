"""What ends a training run before its last epoch, as exceptions."""

from __future__ import annotations

from readlabel.messages import Failure, FailureReason, ReadlabelError


class RunFailed(ReadlabelError):  # noqa: N818 - an outcome of a run, which its record names FAILED
    """The run ends FAILED.

    Args:
        reason: the word that the run's record carries.
        message: one sentence for the user: what, where, what is allowed.
    """

    def __init__(self, reason: FailureReason, message: str) -> None:
        super().__init__(message)
        self.failure = Failure(reason=reason, message=message)


class FolderInUse(RunFailed):
    """Another living worker holds the checkpoint folder; it may be about to end."""


class Interrupted(Exception):  # noqa: N818 - not an error: somebody asked for it
    """Somebody asked the run to end early; the state up to the last step is checkpointed.

    Args:
        cancelled: True ends the run as CANCELLED; False leaves it for a later worker to go on with.
    """

    def __init__(self, cancelled: bool) -> None:
        super().__init__("cancelled" if cancelled else "stopped")
        self.cancelled = cancelled
