from google.protobuf import timestamp_pb2 as _timestamp_pb2
from readlabel.v1 import hyperparameters_pb2 as _hyperparameters_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RunState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUN_STATE_UNSPECIFIED: _ClassVar[RunState]
    RUN_STATE_QUEUED: _ClassVar[RunState]
    RUN_STATE_RUNNING: _ClassVar[RunState]
    RUN_STATE_CANCELLING: _ClassVar[RunState]
    RUN_STATE_SUCCEEDED: _ClassVar[RunState]
    RUN_STATE_FAILED: _ClassVar[RunState]
    RUN_STATE_CANCELLED: _ClassVar[RunState]
RUN_STATE_UNSPECIFIED: RunState
RUN_STATE_QUEUED: RunState
RUN_STATE_RUNNING: RunState
RUN_STATE_CANCELLING: RunState
RUN_STATE_SUCCEEDED: RunState
RUN_STATE_FAILED: RunState
RUN_STATE_CANCELLED: RunState

class BlobRef(_message.Message):
    __slots__ = ("sha256", "size_bytes")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    sha256: str
    size_bytes: int
    def __init__(self, sha256: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class Segment(_message.Message):
    __slots__ = ("name", "pattern")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    name: str
    pattern: str
    def __init__(self, name: _Optional[str] = ..., pattern: _Optional[str] = ...) -> None: ...

class Library(_message.Message):
    __slots__ = ("model", "segments", "barcodes", "umis", "strand")
    class Strand(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STRAND_UNSPECIFIED: _ClassVar[Library.Strand]
        STRAND_FWD: _ClassVar[Library.Strand]
        STRAND_REV: _ClassVar[Library.Strand]
    STRAND_UNSPECIFIED: Library.Strand
    STRAND_FWD: Library.Strand
    STRAND_REV: Library.Strand
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    BARCODES_FIELD_NUMBER: _ClassVar[int]
    UMIS_FIELD_NUMBER: _ClassVar[int]
    STRAND_FIELD_NUMBER: _ClassVar[int]
    model: str
    segments: _containers.RepeatedCompositeFieldContainer[Segment]
    barcodes: _containers.RepeatedScalarFieldContainer[str]
    umis: _containers.RepeatedScalarFieldContainer[str]
    strand: Library.Strand
    def __init__(self, model: _Optional[str] = ..., segments: _Optional[_Iterable[_Union[Segment, _Mapping]]] = ..., barcodes: _Optional[_Iterable[str]] = ..., umis: _Optional[_Iterable[str]] = ..., strand: _Optional[_Union[Library.Strand, str]] = ...) -> None: ...

class TrainingOptions(_message.Message):
    __slots__ = ("seed", "crf_backend")
    class CrfBackend(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CRF_BACKEND_UNSPECIFIED: _ClassVar[TrainingOptions.CrfBackend]
        CRF_BACKEND_READLABEL: _ClassVar[TrainingOptions.CrfBackend]
        CRF_BACKEND_TFA: _ClassVar[TrainingOptions.CrfBackend]
    CRF_BACKEND_UNSPECIFIED: TrainingOptions.CrfBackend
    CRF_BACKEND_READLABEL: TrainingOptions.CrfBackend
    CRF_BACKEND_TFA: TrainingOptions.CrfBackend
    SEED_FIELD_NUMBER: _ClassVar[int]
    CRF_BACKEND_FIELD_NUMBER: _ClassVar[int]
    seed: int
    crf_backend: TrainingOptions.CrfBackend
    def __init__(self, seed: _Optional[int] = ..., crf_backend: _Optional[_Union[TrainingOptions.CrfBackend, str]] = ...) -> None: ...

class GridPoint(_message.Message):
    __slots__ = ("hyperparameters", "library", "options", "engine_revision")
    HYPERPARAMETERS_FIELD_NUMBER: _ClassVar[int]
    LIBRARY_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    ENGINE_REVISION_FIELD_NUMBER: _ClassVar[int]
    hyperparameters: _hyperparameters_pb2.Hyperparameters
    library: Library
    options: TrainingOptions
    engine_revision: int
    def __init__(self, hyperparameters: _Optional[_Union[_hyperparameters_pb2.Hyperparameters, _Mapping]] = ..., library: _Optional[_Union[Library, _Mapping]] = ..., options: _Optional[_Union[TrainingOptions, _Mapping]] = ..., engine_revision: _Optional[int] = ...) -> None: ...

class RunSpec(_message.Message):
    __slots__ = ("point", "training_reads", "validation_reads")
    POINT_FIELD_NUMBER: _ClassVar[int]
    TRAINING_READS_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_READS_FIELD_NUMBER: _ClassVar[int]
    point: GridPoint
    training_reads: BlobRef
    validation_reads: BlobRef
    def __init__(self, point: _Optional[_Union[GridPoint, _Mapping]] = ..., training_reads: _Optional[_Union[BlobRef, _Mapping]] = ..., validation_reads: _Optional[_Union[BlobRef, _Mapping]] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("reason", "message")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[Failure.Reason]
        REASON_INVALID_PARAMETERS: _ClassVar[Failure.Reason]
        REASON_INVALID_INPUT: _ClassVar[Failure.Reason]
        REASON_NUMERICS: _ClassVar[Failure.Reason]
        REASON_OUT_OF_MEMORY: _ClassVar[Failure.Reason]
        REASON_DEVICE: _ClassVar[Failure.Reason]
        REASON_DISK_FULL: _ClassVar[Failure.Reason]
        REASON_ENGINE_CHANGED: _ClassVar[Failure.Reason]
        REASON_WORKER_LOST: _ClassVar[Failure.Reason]
        REASON_INTERNAL: _ClassVar[Failure.Reason]
    REASON_UNSPECIFIED: Failure.Reason
    REASON_INVALID_PARAMETERS: Failure.Reason
    REASON_INVALID_INPUT: Failure.Reason
    REASON_NUMERICS: Failure.Reason
    REASON_OUT_OF_MEMORY: Failure.Reason
    REASON_DEVICE: Failure.Reason
    REASON_DISK_FULL: Failure.Reason
    REASON_ENGINE_CHANGED: Failure.Reason
    REASON_WORKER_LOST: Failure.Reason
    REASON_INTERNAL: Failure.Reason
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    reason: Failure.Reason
    message: str
    def __init__(self, reason: _Optional[_Union[Failure.Reason, str]] = ..., message: _Optional[str] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("number", "device", "threads", "start_time", "end_time", "resumed_from_epoch", "notes")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    THREADS_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    RESUMED_FROM_EPOCH_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    number: int
    device: str
    threads: int
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    resumed_from_epoch: int
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, number: _Optional[int] = ..., device: _Optional[str] = ..., threads: _Optional[int] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., resumed_from_epoch: _Optional[int] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("load_seconds", "train_seconds", "export_seconds", "evaluate_seconds", "total_seconds")
    LOAD_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TRAIN_SECONDS_FIELD_NUMBER: _ClassVar[int]
    EXPORT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    EVALUATE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    load_seconds: float
    train_seconds: float
    export_seconds: float
    evaluate_seconds: float
    total_seconds: float
    def __init__(self, load_seconds: _Optional[float] = ..., train_seconds: _Optional[float] = ..., export_seconds: _Optional[float] = ..., evaluate_seconds: _Optional[float] = ..., total_seconds: _Optional[float] = ...) -> None: ...

class RunRecord(_message.Message):
    __slots__ = ("run_id", "spec", "state", "failure", "attempts", "timings", "versions", "trainable_parameters", "epochs_trained", "best_epoch", "bases_per_second", "peak_memory_bytes", "tranquillyzer_loads", "notes")
    class VersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    TRAINABLE_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_TRAINED_FIELD_NUMBER: _ClassVar[int]
    BEST_EPOCH_FIELD_NUMBER: _ClassVar[int]
    BASES_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    PEAK_MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    TRANQUILLYZER_LOADS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    run_id: str
    spec: RunSpec
    state: RunState
    failure: Failure
    attempts: _containers.RepeatedCompositeFieldContainer[Attempt]
    timings: Timings
    versions: _containers.ScalarMap[str, str]
    trainable_parameters: int
    epochs_trained: int
    best_epoch: int
    bases_per_second: float
    peak_memory_bytes: int
    tranquillyzer_loads: bool
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, run_id: _Optional[str] = ..., spec: _Optional[_Union[RunSpec, _Mapping]] = ..., state: _Optional[_Union[RunState, str]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., attempts: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., timings: _Optional[_Union[Timings, _Mapping]] = ..., versions: _Optional[_Mapping[str, str]] = ..., trainable_parameters: _Optional[int] = ..., epochs_trained: _Optional[int] = ..., best_epoch: _Optional[int] = ..., bases_per_second: _Optional[float] = ..., peak_memory_bytes: _Optional[int] = ..., tranquillyzer_loads: bool = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class Artifact(_message.Message):
    __slots__ = ("name", "media_type", "blob")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    BLOB_FIELD_NUMBER: _ClassVar[int]
    name: str
    media_type: str
    blob: BlobRef
    def __init__(self, name: _Optional[str] = ..., media_type: _Optional[str] = ..., blob: _Optional[_Union[BlobRef, _Mapping]] = ...) -> None: ...

class TrainingRun(_message.Message):
    __slots__ = ("name", "spec", "tags", "priority", "state", "failure", "attempts", "last_epoch", "last_sequence", "artifacts", "record", "create_time", "update_time", "end_time", "etag")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    LAST_EPOCH_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    name: str
    spec: RunSpec
    tags: _containers.ScalarMap[str, str]
    priority: int
    state: RunState
    failure: Failure
    attempts: _containers.RepeatedCompositeFieldContainer[Attempt]
    last_epoch: int
    last_sequence: int
    artifacts: _containers.RepeatedCompositeFieldContainer[Artifact]
    record: RunRecord
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    etag: str
    def __init__(self, name: _Optional[str] = ..., spec: _Optional[_Union[RunSpec, _Mapping]] = ..., tags: _Optional[_Mapping[str, str]] = ..., priority: _Optional[int] = ..., state: _Optional[_Union[RunState, str]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., attempts: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ..., last_epoch: _Optional[int] = ..., last_sequence: _Optional[int] = ..., artifacts: _Optional[_Iterable[_Union[Artifact, _Mapping]]] = ..., record: _Optional[_Union[RunRecord, _Mapping]] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...

class EpochMetrics(_message.Message):
    __slots__ = ("epoch", "epochs", "loss", "accuracy", "internal_validation_loss", "internal_validation_accuracy", "learning_rate", "gradient_norm", "bases_per_second", "memory_bytes", "seconds")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    INTERNAL_VALIDATION_LOSS_FIELD_NUMBER: _ClassVar[int]
    INTERNAL_VALIDATION_ACCURACY_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    GRADIENT_NORM_FIELD_NUMBER: _ClassVar[int]
    BASES_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    epochs: int
    loss: float
    accuracy: float
    internal_validation_loss: float
    internal_validation_accuracy: float
    learning_rate: float
    gradient_norm: float
    bases_per_second: float
    memory_bytes: int
    seconds: float
    def __init__(self, epoch: _Optional[int] = ..., epochs: _Optional[int] = ..., loss: _Optional[float] = ..., accuracy: _Optional[float] = ..., internal_validation_loss: _Optional[float] = ..., internal_validation_accuracy: _Optional[float] = ..., learning_rate: _Optional[float] = ..., gradient_norm: _Optional[float] = ..., bases_per_second: _Optional[float] = ..., memory_bytes: _Optional[int] = ..., seconds: _Optional[float] = ...) -> None: ...

class StateChange(_message.Message):
    __slots__ = ("state", "failure", "attempt")
    STATE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    state: RunState
    failure: Failure
    attempt: int
    def __init__(self, state: _Optional[_Union[RunState, str]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., attempt: _Optional[int] = ...) -> None: ...

class Note(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RunEvent(_message.Message):
    __slots__ = ("sequence", "event_time", "state_change", "epoch", "note", "heartbeat")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    STATE_CHANGE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    event_time: _timestamp_pb2.Timestamp
    state_change: StateChange
    epoch: EpochMetrics
    note: Note
    heartbeat: Heartbeat
    def __init__(self, sequence: _Optional[int] = ..., event_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., state_change: _Optional[_Union[StateChange, _Mapping]] = ..., epoch: _Optional[_Union[EpochMetrics, _Mapping]] = ..., note: _Optional[_Union[Note, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ...) -> None: ...
