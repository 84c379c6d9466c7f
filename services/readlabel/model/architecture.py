"""The network's weights as a table: from hyperparameters to names, shapes and initial values.

What enters is a `Hyperparameters` and a number of labels; what leaves is one `WeightSpec` per array, in the order in
which tranquillyzer's weight files hold them: trainable arrays layer by layer, then the batch-norm moving statistics.
`readlabel.model.network` makes variables of them, `readlabel.model.export` writes and reads them in this order.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from readlabel.messages import Hyperparameters

Initializer = Literal["uniform", "glorot", "orthogonal", "zeros", "ones", "forget_bias"]


@dataclass(frozen=True)
class WeightSpec:
    """One array of the network.

    Attributes:
        name: ``<layer>/<array>``, the layer named as tranquillyzer names it.
        shape: as Keras shapes it.
        initializer: the Keras default of its kind (`initial_value`).
        penalised: whether the L2 penalty (`regularization`) lies on it.
        trainable: False for batch-norm moving statistics only.
    """

    name: str
    shape: tuple[int, ...]
    initializer: Initializer
    penalised: bool = False
    trainable: bool = True

    @property
    def layer(self) -> str:
        """The part of the name before the last slash."""
        return self.name.rpartition("/")[0]


def lstm_units(hyperparameters: Hyperparameters, layer: int) -> int:
    """Units of LSTM layer `layer` in each direction: those after the first have half of them, at least one."""
    return hyperparameters.lstm_units if layer == 0 else max(1, hyperparameters.lstm_units // 2)


def lstm_cells(hyperparameters: Hyperparameters, layer: int) -> tuple[str, ...]:
    """Names of the cells of LSTM layer `layer`: forward then backward, or the only one."""
    if not hyperparameters.bidirectional:
        return (f"lstm_{layer}/lstm_cell",)
    return tuple(f"bilstm_{layer}/{direction}_lstm_{layer}/lstm_cell" for direction in ("forward", "backward"))


def weight_specs(hyperparameters: Hyperparameters, num_labels: int) -> tuple[WeightSpec, ...]:
    """All arrays of the network, in file order.

    Args:
        hyperparameters: the combination to build.
        num_labels: classes that the network tells apart.
    """
    return (*_trainable(hyperparameters, num_labels), *_moving_statistics(hyperparameters))


def _trainable(hp: Hyperparameters, num_labels: int) -> Iterator[WeightSpec]:
    yield WeightSpec("embedding/embeddings", (hp.vocab_size + 1, hp.embedding_dim), "uniform")
    width, filters = hp.embedding_dim, hp.conv_filters
    for layer in range(hp.conv_layers):
        yield WeightSpec(f"conv1d_{layer}/kernel", (hp.conv_kernel_size, width, filters), "glorot", penalised=True)
        yield WeightSpec(f"conv1d_{layer}/bias", (filters,), "zeros")
        yield WeightSpec(f"batchnorm_{layer}/gamma", (filters,), "ones")
        yield WeightSpec(f"batchnorm_{layer}/beta", (filters,), "zeros")
        width = filters
    for layer in range(hp.lstm_layers):
        units = lstm_units(hp, layer)
        cells = lstm_cells(hp, layer)
        for cell in cells:
            yield WeightSpec(f"{cell}/kernel", (width, 4 * units), "glorot", penalised=True)
            yield WeightSpec(f"{cell}/recurrent_kernel", (units, 4 * units), "orthogonal", penalised=True)
            yield WeightSpec(f"{cell}/bias", (4 * units,), "forget_bias")
        width = units * len(cells)
    if hp.attention_heads:
        heads, size = hp.attention_heads, hp.lstm_units
        for part in ("query", "key", "value"):
            yield WeightSpec(f"multihead_attention/{part}/kernel", (width, heads, size), "glorot")
            yield WeightSpec(f"multihead_attention/{part}/bias", (heads, size), "zeros")
        yield WeightSpec("multihead_attention/attention_output/kernel", (heads, size, width), "glorot")
        yield WeightSpec("multihead_attention/attention_output/bias", (width,), "zeros")
    yield WeightSpec("time_dense/kernel", (width, num_labels), "glorot", penalised=True)
    yield WeightSpec("time_dense/bias", (num_labels,), "zeros")
    if hp.crf_layer:
        yield WeightSpec("crf/transitions", (num_labels, num_labels), "orthogonal")
        if hp.boundary_potentials:
            yield WeightSpec("crf/left_boundary", (num_labels,), "zeros")
            yield WeightSpec("crf/right_boundary", (num_labels,), "zeros")


def _moving_statistics(hp: Hyperparameters) -> Iterator[WeightSpec]:
    for layer in range(hp.conv_layers):
        yield WeightSpec(f"batchnorm_{layer}/moving_mean", (hp.conv_filters,), "zeros", trainable=False)
        yield WeightSpec(f"batchnorm_{layer}/moving_variance", (hp.conv_filters,), "ones", trainable=False)


def initial_value(spec: WeightSpec, seed: int) -> np.ndarray:
    """The value training starts from: float32, decided by the seed and the array's name alone.

    Keras' defaults: embeddings uniform in ±0.05, kernels Glorot uniform (Glorot and Bengio 2010), recurrent kernels
    and transitions orthogonal, LSTM forget gates with bias 1 (Jozefowicz et al. 2015).
    """
    generator = np.random.default_rng([seed, zlib.crc32(spec.name.encode())])
    match spec.initializer:
        case "uniform":
            value = generator.uniform(-0.05, 0.05, spec.shape)
        case "glorot":
            limit = np.sqrt(6.0 / sum(_fans(spec.shape)))
            value = generator.uniform(-limit, limit, spec.shape)
        case "orthogonal":
            value = _orthogonal(generator, *spec.shape)
        case "zeros":
            value = np.zeros(spec.shape)
        case "ones":
            value = np.ones(spec.shape)
        case "forget_bias":
            value = np.zeros(spec.shape)
            units = spec.shape[0] // 4
            value[units : 2 * units] = 1.0
    return value.astype(np.float32)


def _fans(shape: tuple[int, ...]) -> tuple[float, float]:
    """Fan-in and fan-out as Keras counts them: the last two axes, times the size of those before."""
    field = int(np.prod(shape[:-2]))
    return shape[-2] * field, shape[-1] * field


def _orthogonal(generator: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """A matrix with orthonormal rows or columns, uniform over such matrices (Saxe et al. 2013)."""
    normal = generator.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(normal)
    q = q * np.sign(np.diag(r))
    return q if rows >= columns else q.T
