"""The service's resources as frozen pydantic messages: what a client's caller gets and what the server stores."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from readlabel.messages import (
    PARAMETER_FAILURES,
    Attempt,
    BlobRef,
    EpochMetrics,
    Failure,
    InputError,
    Message,
    Problem,
    RunRecord,
    RunSpec,
    RunState,
)

MAX_TAGS = 64
ARTIFACT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
"""A plain file name: nothing that could lead out of the folder it is written to."""
_RUN_NAME = re.compile(r"runs/([0-9a-f]{32})")


def run_name(run_id: str) -> str:
    """The resource name of a run: ``runs/{run}``."""
    return f"runs/{run_id}"


def parse_run_name(name: str, where: str = "name") -> str:
    """The run id in a resource name.

    Raises:
        InputError: it is not ``runs/`` and 32 lower-case hex digits.
    """
    match = _RUN_NAME.fullmatch(name)
    if match is None:
        raise InputError([Problem(where, f"{name!r:.80} is no name of a run: runs/ and 32 hex digits are expected")])
    return match.group(1)


class Artifact(Message):
    """One file a run left; `blob` names its bytes."""

    name: str = Field(pattern=f"^{ARTIFACT_NAME.pattern}$")
    media_type: str
    blob: BlobRef


class TrainingRun(Message):
    """A run as the service sees it.

    In a request only `spec`, `tags` and `priority` count; the rest is the service's answer.
    """

    name: str = ""
    spec: RunSpec
    tags: dict[str, str] = Field(default_factory=dict, max_length=MAX_TAGS)
    priority: int = Field(0, ge=-100, le=100)
    state: RunState = "QUEUED"
    failure: Failure | None = None
    attempts: tuple[Attempt, ...] = ()
    last_epoch: int = Field(0, ge=0)
    last_sequence: int = Field(0, ge=0)
    artifacts: tuple[Artifact, ...] = ()
    record: RunRecord | None = None
    create_time: str = ""
    update_time: str = ""
    end_time: str = ""
    etag: str = ""

    @field_validator("tags")
    @classmethod
    def _tags(cls, tags: dict[str, str]) -> dict[str, str]:
        for key, value in tags.items():
            if not 1 <= len(key) <= 63 or len(value) > 255:
                raise ValueError(f"tag {key!r:.80}: keys have 1 to 63 characters and values at most 255")
        return tags

    @property
    def run_id(self) -> str:
        """The last part of the name."""
        return self.name.removeprefix("runs/")

    @property
    def is_outcome(self) -> bool:
        """Whether training it again would change nothing: it succeeded, or failed by its parameters."""
        failure = self.failure
        return self.state == "SUCCEEDED" or (failure is not None and failure.reason in PARAMETER_FAILURES)


class StateChange(Message):
    """The run entered a state."""

    state: RunState
    failure: Failure | None = None
    attempt: int = Field(0, ge=0)


class Note(Message):
    """Something a reader of the run should know."""

    text: str


class Heartbeat(Message):
    """Nothing new; the stream lives."""


class RunEvent(Message):
    """One piece of news; exactly one of the last four fields is set."""

    sequence: int = Field(ge=0)
    event_time: str = ""
    state_change: StateChange | None = None
    epoch: EpochMetrics | None = None
    note: Note | None = None
    heartbeat: Heartbeat | None = None


class Device(Message):
    """One device slot; `run` is empty when it is idle."""

    name: str
    threads: int = Field(0, ge=0)
    run: str = ""


class ServerInfo(Message):
    """What a service is and can; sizes in bytes."""

    version: str
    engine_revision: int
    max_chunk_bytes: int
    max_blob_bytes: int
    max_queued_runs: int
    max_page_size: int
    devices: tuple[Device, ...] = ()
    hyperparameters_schema: str = ""
    queued_runs: int = 0


class RunPage(Message):
    """One page of runs; `next_page_token` is empty on the last."""

    training_runs: tuple[TrainingRun, ...] = ()
    next_page_token: str = ""
