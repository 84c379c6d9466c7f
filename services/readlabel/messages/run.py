"""A training run: what is asked (`RunSpec`), and what became of it (`RunRecord`, the content of ``run.json``)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from readlabel.messages._base import Message
from readlabel.messages.hyperparameters import Hyperparameters
from readlabel.messages.library import Library

ENGINE_REVISION = 3
"""Raised when the numbers a training gives change, so that no cached or half-finished run mixes two engines."""

RunState = Literal["QUEUED", "RUNNING", "CANCELLING", "SUCCEEDED", "FAILED", "CANCELLED"]
TERMINAL_STATES: frozenset[RunState] = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})

FailureReason = Literal[
    "INVALID_PARAMETERS",
    "INVALID_INPUT",
    "NUMERICS",
    "OUT_OF_MEMORY",
    "DEVICE",
    "DISK_FULL",
    "ENGINE_CHANGED",
    "WORKER_LOST",
    "INTERNAL",
]
PARAMETER_FAILURES: frozenset[FailureReason] = frozenset({"INVALID_PARAMETERS", "INVALID_INPUT", "NUMERICS"})
"""Failures that lie in what was asked: trying again gives the same, so they are an outcome and not an accident."""

CrfBackend = Literal["readlabel", "tfa"]
RUN_ID_LENGTH = 32


class TrainingOptions(Message):
    """What decides the trained numbers besides the hyperparameters."""

    seed: int = Field(1, ge=0, le=2**31 - 1, description="Feeds split, shuffle, initialisation and dropout.")
    crf_backend: CrfBackend = Field(
        "readlabel", description="Which CRF computes the loss: readlabel's, or tensorflow-addons' as the oracle."
    )


class GridPoint(Message):
    """One combination as a pipeline hands it to a TRAIN task: everything that decides the outcome except the reads.

    It holds no index: a grid that grows moves the indices and must not train anything twice.
    """

    hyperparameters: Hyperparameters
    library: Library
    options: TrainingOptions = TrainingOptions()
    engine_revision: int = Field(ENGINE_REVISION, ge=1)


class Grid(Message):
    """A table's combinations, each with its place in the order: what EXPAND_GRID writes as ``grid.json``."""

    entries: tuple[GridEntry, ...]


class GridEntry(Message):
    """One combination with its name in the results."""

    model: str
    index: int = Field(ge=0)
    point: GridPoint
    varying: tuple[str, ...] = Field((), description="Hyperparameters that take several values in this model's grid.")

    @property
    def variant(self) -> str:
        """``<model>_<index>``: the name of the variant's folder and files."""
        return f"{self.model}_{self.index}"


class BlobRef(Message):
    """Bytes named by their content."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size_bytes: int = Field(ge=0)


class RunSpec(Message):
    """All that decides a run's outcome. Two equal specs are one run."""

    point: GridPoint
    training_reads: BlobRef
    validation_reads: BlobRef

    @property
    def run_id(self) -> str:
        """The first 32 hex digits of the canonical spec's SHA-256."""
        return self.digest()[:RUN_ID_LENGTH]


class Failure(Message):
    """Why a run failed."""

    reason: FailureReason
    message: str


class Attempt(Message):
    """One try of a worker at a run."""

    number: int = Field(ge=1)
    device: str = ""
    threads: int = Field(0, ge=0)
    start_time: str = Field("", description="RFC 3339, UTC.")
    end_time: str = Field("", description="RFC 3339, UTC; empty while it lasts.")
    resumed_from_epoch: int = Field(0, ge=0)
    notes: tuple[str, ...] = Field((), description="Such as: micro-batch halved to 16 after out-of-memory.")


class Timings(Message):
    """Seconds spent in each part of a run."""

    load_seconds: float = Field(0, ge=0)
    train_seconds: float = Field(0, ge=0)
    export_seconds: float = Field(0, ge=0)
    evaluate_seconds: float = Field(0, ge=0)
    total_seconds: float = Field(0, ge=0)


class RunRecord(Message):
    """The provenance of a run, written as ``run.json`` beside its artifacts."""

    run_id: str
    spec: RunSpec
    state: RunState
    failure: Failure | None = None
    attempts: tuple[Attempt, ...] = ()
    timings: Timings = Timings()
    versions: dict[str, str] = Field(default_factory=dict, description="Package name to version.")
    trainable_parameters: int = Field(0, ge=0)
    epochs_trained: int = Field(0, ge=0)
    best_epoch: int = Field(0, ge=0, description="Counts from 1; 0 when nothing was trained.")
    bases_per_second: float = Field(0, ge=0, description="Real bases trained a second in the last epoch.")
    peak_memory_bytes: int = Field(0, ge=0)
    tranquillyzer_loads: bool = Field(True, description="Whether the exported files load in tranquillyzer unchanged.")
    notes: tuple[str, ...] = Field((), description="What a reader of the report should know: untrained baseline, …")


Grid.model_rebuild()
