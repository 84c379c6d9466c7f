"""What a worker is told and what it says: one JSON object a line, in both directions.

Orders go to a worker's standard input, events come from its standard output. The end of its standard input means that
its server is gone: it checkpoints and exits.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from readlabel.messages._base import Message
from readlabel.messages.run import Failure, RunSpec


class TrainOrder(Message):
    """Train one run. Nothing here beyond `spec` changes the trained numbers."""

    type: Literal["train"] = "train"
    spec: RunSpec
    attempt: int = Field(1, ge=1)
    run_dir: str = Field(description="Where the artifacts go; created when missing.")
    checkpoint_dir: str = Field(description="Where checkpoints go and are looked for.")
    checkpoint_store: str = Field("", description="Folder of all runs in an object store where they are kept too.")
    training_reads: str = Field(description="Path of the training Parquet file.")
    validation_reads: str = Field(description="Path of the validation Parquet file.")
    device: str = Field("cpu", description="cpu, or a GPU's UUID or index; several with + between them.")
    threads: int = Field(0, ge=0, description="0 leaves the choice to TensorFlow.")
    checkpoint_minutes: float = Field(10, gt=0)


class CancelOrder(Message):
    """Checkpoint, then end as CANCELLED."""

    type: Literal["cancel"] = "cancel"


class StopOrder(Message):
    """Checkpoint, then exit without an outcome: the run goes on in a later worker."""

    type: Literal["stop"] = "stop"


Order = Annotated[TrainOrder | CancelOrder | StopOrder, Field(discriminator="type")]
ORDER: TypeAdapter[TrainOrder | CancelOrder | StopOrder] = TypeAdapter(Order)


class EpochMetrics(Message):
    """One epoch of training. `internal_validation_*` is None with train_fraction 1 or 0."""

    epoch: int = Field(ge=1)
    epochs: int = Field(ge=1, description="Most epochs this run may train.")
    loss: float
    accuracy: float = Field(ge=0, le=1, description="Per real base, in training mode (dropout on).")
    internal_validation_loss: float | None = None
    internal_validation_accuracy: float | None = None
    learning_rate: float = Field(ge=0)
    gradient_norm: float = Field(0, ge=0, description="Mean over the epoch's steps, before clipping.")
    bases_per_second: float = Field(0, ge=0, description="Real bases trained a second.")
    memory_bytes: int = Field(0, ge=0, description="Peak resident memory so far.")
    seconds: float = Field(0, ge=0)


class ReadyEvent(Message):
    """TensorFlow is imported; the worker waits for its order."""

    type: Literal["ready"] = "ready"


class StartedEvent(Message):
    """Training begins, or goes on after `resumed_from_epoch`."""

    type: Literal["started"] = "started"
    device: str
    threads: int
    resumed_from_epoch: int = Field(0, ge=0)


class EpochEvent(Message):
    """An epoch has ended and is checkpointed. A worker that goes on tells those of its checkpoint again."""

    type: Literal["epoch"] = "epoch"
    metrics: EpochMetrics


class NoteEvent(Message):
    """Something a reader of the run should know."""

    type: Literal["note"] = "note"
    text: str


class FinishedEvent(Message):
    """The run has an outcome; every artifact in `artifacts` (file names within run_dir) is in place."""

    type: Literal["finished"] = "finished"
    state: Literal["SUCCEEDED", "FAILED", "CANCELLED"]
    failure: Failure | None = None
    artifacts: tuple[str, ...] = ()


Event = Annotated[ReadyEvent | StartedEvent | EpochEvent | NoteEvent | FinishedEvent, Field(discriminator="type")]
EVENT: TypeAdapter[ReadyEvent | StartedEvent | EpochEvent | NoteEvent | FinishedEvent] = TypeAdapter(Event)
