"""The hyperparameters of one combination: the source of their names, types, defaults, ranges and documentation.

The parameter table, the protocol buffer and the JSON Schema a service publishes are all checked against this model.
Source of names and meanings: tranquillyzer's "Model Training Intuitions" page; defaults are its 10x3p_sc_ont column.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from readlabel.messages._base import Message

LrSchedule = Literal["plateau", "constant", "warmup_cosine"]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]

OPTIONAL_ROWS = ("lr_schedule", "warmup_steps", "precision", "boundary_potentials")
"""Rows that a parameter table may leave out: tranquillyzer's tables lack them, and their defaults do what it does."""


class Hyperparameters(Message):
    """One point of a grid.

    Example:
        >>> Hyperparameters(conv_filters=64, crf_layer=False).lstm_units
        96
    """

    batch_size: int = Field(128, ge=1, le=65536, description="Reads per gradient update.")
    train_fraction: float = Field(
        0.8,
        ge=0,
        le=1,
        description="Fraction of the simulated reads used for training; the rest is the internal validation that early "
        "stopping watches. 1 trains on everything for all epochs; 0 keeps the untrained network as a baseline.",
    )
    vocab_size: int = Field(5, ge=5, le=64, description="Nucleotide symbols (A, C, G, T, N); padding is not counted.")
    embedding_dim: int = Field(128, ge=1, le=4096, description="Length of the vector learned for each symbol.")
    conv_layers: int = Field(3, ge=1, le=16, description="Stacked convolution blocks.")
    conv_filters: int = Field(128, ge=1, le=4096, description="Motif detectors in each convolution.")
    conv_kernel_size: int = Field(25, ge=1, le=511, description="Bases that a motif detector sees at once.")
    lstm_layers: int = Field(1, ge=1, le=8, description="Stacked LSTMs; those after the first have half the units.")
    lstm_units: int = Field(96, ge=1, le=4096, description="Memory of the first LSTM layer, in each direction.")
    bidirectional: bool = Field(True, description="Whether each LSTM reads the read in both directions.")
    crf_layer: bool = Field(True, description="Whether a conditional random field decodes the labels.")
    attention_heads: int = Field(0, ge=0, le=64, description="Heads of self-attention after the LSTM; 0 is none.")
    dropout_rate: float = Field(0.35, ge=0, lt=1, description="Share of activations dropped in training.")
    regularization: float = Field(0.01, ge=0, le=1, description="L2 penalty on convolution, LSTM and dense kernels.")
    learning_rate: float = Field(0.001, gt=0, le=1, description="Adam's step size.")
    epochs: int = Field(1, ge=1, le=10000, description="Most epochs to train; early stopping may end sooner.")
    lr_schedule: LrSchedule = Field(
        "plateau",
        description="plateau halves the rate when internal validation stalls and stops early; constant keeps it; "
        "warmup_cosine rises linearly over warmup_steps, then falls on a cosine to zero over the remaining steps.",
    )
    warmup_steps: int = Field(0, ge=0, le=1_000_000, description="Steps of linear warm-up; used by warmup_cosine.")
    precision: Precision = Field(
        "float32", description="Arithmetic of the convolutions; LSTM and CRF are always float32."
    )
    boundary_potentials: bool = Field(
        False,
        description="Whether the CRF learns scores for a read's first and last label. tranquillyzer cannot load these.",
    )


def as_written(value: bool | int | float | str) -> str:
    """A hyperparameter's value as a parameter table writes it: TRUE and FALSE, and 0.0001 rather than 1e-4.

    tranquillyzer takes a number with an exponent for a word.
    """
    if isinstance(value, bool):
        return str(value).upper()
    return format(Decimal(repr(value)), "f").removesuffix(".0") if isinstance(value, float) else str(value)
