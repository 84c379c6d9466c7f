from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Hyperparameters(_message.Message):
    __slots__ = ("batch_size", "train_fraction", "vocab_size", "embedding_dim", "conv_layers", "conv_filters", "conv_kernel_size", "lstm_layers", "lstm_units", "bidirectional", "crf_layer", "attention_heads", "dropout_rate", "regularization", "learning_rate", "epochs", "lr_schedule", "warmup_steps", "precision", "boundary_potentials")
    class LrSchedule(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        LR_SCHEDULE_UNSPECIFIED: _ClassVar[Hyperparameters.LrSchedule]
        LR_SCHEDULE_PLATEAU: _ClassVar[Hyperparameters.LrSchedule]
        LR_SCHEDULE_CONSTANT: _ClassVar[Hyperparameters.LrSchedule]
        LR_SCHEDULE_WARMUP_COSINE: _ClassVar[Hyperparameters.LrSchedule]
    LR_SCHEDULE_UNSPECIFIED: Hyperparameters.LrSchedule
    LR_SCHEDULE_PLATEAU: Hyperparameters.LrSchedule
    LR_SCHEDULE_CONSTANT: Hyperparameters.LrSchedule
    LR_SCHEDULE_WARMUP_COSINE: Hyperparameters.LrSchedule
    class Precision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PRECISION_UNSPECIFIED: _ClassVar[Hyperparameters.Precision]
        PRECISION_FLOAT32: _ClassVar[Hyperparameters.Precision]
        PRECISION_MIXED_BFLOAT16: _ClassVar[Hyperparameters.Precision]
        PRECISION_MIXED_FLOAT16: _ClassVar[Hyperparameters.Precision]
    PRECISION_UNSPECIFIED: Hyperparameters.Precision
    PRECISION_FLOAT32: Hyperparameters.Precision
    PRECISION_MIXED_BFLOAT16: Hyperparameters.Precision
    PRECISION_MIXED_FLOAT16: Hyperparameters.Precision
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    TRAIN_FRACTION_FIELD_NUMBER: _ClassVar[int]
    VOCAB_SIZE_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_DIM_FIELD_NUMBER: _ClassVar[int]
    CONV_LAYERS_FIELD_NUMBER: _ClassVar[int]
    CONV_FILTERS_FIELD_NUMBER: _ClassVar[int]
    CONV_KERNEL_SIZE_FIELD_NUMBER: _ClassVar[int]
    LSTM_LAYERS_FIELD_NUMBER: _ClassVar[int]
    LSTM_UNITS_FIELD_NUMBER: _ClassVar[int]
    BIDIRECTIONAL_FIELD_NUMBER: _ClassVar[int]
    CRF_LAYER_FIELD_NUMBER: _ClassVar[int]
    ATTENTION_HEADS_FIELD_NUMBER: _ClassVar[int]
    DROPOUT_RATE_FIELD_NUMBER: _ClassVar[int]
    REGULARIZATION_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    LR_SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    WARMUP_STEPS_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    BOUNDARY_POTENTIALS_FIELD_NUMBER: _ClassVar[int]
    batch_size: int
    train_fraction: float
    vocab_size: int
    embedding_dim: int
    conv_layers: int
    conv_filters: int
    conv_kernel_size: int
    lstm_layers: int
    lstm_units: int
    bidirectional: bool
    crf_layer: bool
    attention_heads: int
    dropout_rate: float
    regularization: float
    learning_rate: float
    epochs: int
    lr_schedule: Hyperparameters.LrSchedule
    warmup_steps: int
    precision: Hyperparameters.Precision
    boundary_potentials: bool
    def __init__(self, batch_size: _Optional[int] = ..., train_fraction: _Optional[float] = ..., vocab_size: _Optional[int] = ..., embedding_dim: _Optional[int] = ..., conv_layers: _Optional[int] = ..., conv_filters: _Optional[int] = ..., conv_kernel_size: _Optional[int] = ..., lstm_layers: _Optional[int] = ..., lstm_units: _Optional[int] = ..., bidirectional: bool = ..., crf_layer: bool = ..., attention_heads: _Optional[int] = ..., dropout_rate: _Optional[float] = ..., regularization: _Optional[float] = ..., learning_rate: _Optional[float] = ..., epochs: _Optional[int] = ..., lr_schedule: _Optional[_Union[Hyperparameters.LrSchedule, str]] = ..., warmup_steps: _Optional[int] = ..., precision: _Optional[_Union[Hyperparameters.Precision, str]] = ..., boundary_potentials: bool = ...) -> None: ...
