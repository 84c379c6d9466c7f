"""The network: from tokens to label scores, to a loss, to labels.

What enters are batches ``(batch, time)`` of tokens with two lengths a row: `lengths`, its real bases, and `visible`,
how far convolutions and LSTM may look. Positions from length to visible hold token 0 and are part of the row's input,
as tranquillyzer's inference shows its network the padding up to a length bin. Positions from visible on influence
nothing, whatever they hold: they are zero before every layer that mixes positions, the backward LSTM starts at the
visible end, and loss, accuracy and batch-norm statistics count real bases only. So a wider batch changes no result.

Order: embedding → convolution blocks (convolution, ReLU, batch norm, dropout) → LSTM layers, each with dropout →
self-attention, if asked for, added to its input, with dropout → one dense layer → CRF or softmax.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from readlabel.messages import Hyperparameters, Library, TrainingOptions
from readlabel.model import architecture, crf_likelihood, layers, viterbi
from readlabel.model.architecture import WeightSpec, lstm_cells, lstm_units
from readlabel.model.lstm import Cell, make_cell, run_lstm

_DTYPES = {"float32": tf.float32, "mixed_bfloat16": tf.bfloat16, "mixed_float16": tf.float16}

_BATCH_SIGNATURE = (
    tf.TensorSpec([None, None], tf.uint8),
    tf.TensorSpec([None], tf.int32),
    tf.TensorSpec([None], tf.int32),
)


class Batch(NamedTuple):
    """Reads as the network takes them.

    Attributes:
        tokens: ``(batch, time)`` uint8; 0 at and beyond a row's length.
        lengths: ``(batch,)`` int32, real bases.
        visible: ``(batch,)`` int32, lengths ≤ visible ≤ time.
    """

    tokens: tf.Tensor
    lengths: tf.Tensor
    visible: tf.Tensor


class Network(tf.Module):
    """A CNN-LSTM-CRF with its weights.

    Attributes:
        hyperparameters: what was built.
        labels: the classes, in the order of the emissions' last axis.
        num_outputs: width of the last layer in exported files; outputs beyond the labels exist only there.
        options: seed (of initial weights and dropout) and CRF backend.
        weights: every array by its `WeightSpec` name, in file order.
    """

    def __init__(
        self, hyperparameters: Hyperparameters, labels: Sequence[str], num_outputs: int, options: TrainingOptions
    ) -> None:
        super().__init__(name="network")
        self.hyperparameters = hyperparameters
        self.labels = tuple(labels)
        self.num_outputs = num_outputs
        self.options = options
        self._dtype = _DTYPES[hyperparameters.precision]
        self._crf = _crf_functions(options)
        self._moment_graphs: dict[int, Callable[..., tuple[tf.Tensor, ...]]] = {}
        self._cells: list[list[Cell]] = []
        self._specs = architecture.weight_specs(hyperparameters, len(self.labels))
        self.weights: dict[str, tf.Variable] = self._make_variables()

    @classmethod
    def build(cls, hyperparameters: Hyperparameters, library: Library, options: TrainingOptions) -> Network:
        """Build an untrained network for a library. Its weights are decided by `options.seed` alone."""
        return cls(hyperparameters, library.labels, library.num_outputs, options)

    def _make_variables(self) -> dict[str, tf.Variable]:
        made: dict[str, tf.Variable] = {}
        inputs = self.hyperparameters.conv_filters
        for layer in range(self.hyperparameters.lstm_layers):
            units = lstm_units(self.hyperparameters, layer)
            names = lstm_cells(self.hyperparameters, layer)
            cells = [make_cell(inputs, units, name, self._dtype) for name in names]
            self._cells.append(cells)
            for name, cell in zip(names, cells, strict=True):
                made |= {f"{name}/{part}": getattr(cell, part) for part in ("kernel", "recurrent_kernel", "bias")}
            inputs = units * len(cells)
        variables = {}
        for spec in self._specs:
            value = architecture.initial_value(spec, self.options.seed)
            if spec.name in made:
                made[spec.name].assign(value)
                variables[spec.name] = made[spec.name]
            else:
                variables[spec.name] = tf.Variable(value, name=spec.name, trainable=spec.trainable)
        return variables

    @property
    def trainable_variables(self) -> tuple[tf.Variable, ...]:
        """What gradients are taken of, in file order."""
        return tuple(self.weights[spec.name] for spec in self._specs if spec.trainable)

    @property
    def moving_statistics(self) -> tuple[tf.Variable, ...]:
        """Moving mean and variance of each batch norm, alternating: set by `recalibrate`, never by a gradient."""
        return tuple(self.weights[spec.name] for spec in self._specs if not spec.trainable)

    @property
    def trainable_parameters(self) -> int:
        """Number of trained values."""
        return sum(int(np.prod(spec.shape)) for spec in self._specs if spec.trainable)

    def bytes_per_position(self, time: int) -> int:
        """Memory that labelling takes for each position of a batch, estimated: the widest layer's input and output.

        Args:
            time: positions of a row; attention scores each position against all of them.
        """
        hp = self.hyperparameters
        widths = [hp.conv_filters, *(4 * lstm_units(hp, layer) * len(cells) for layer, cells in enumerate(self._cells))]
        attention = 3 * hp.attention_heads * time  # scores, shares and their masked copy
        return 4 * (hp.embedding_dim + 2 * max(widths) + 4 * len(self.labels) + attention)

    def describe(self) -> tuple[WeightSpec, ...]:
        """Every array with layer, shape, initial values and penalty, in file order."""
        return self._specs

    @tf.autograph.experimental.do_not_convert
    def emissions(
        self,
        tokens: tf.Tensor,
        lengths: tf.Tensor,
        visible: tf.Tensor,
        *,
        training: bool,
        step: tf.Tensor | int | None = None,
        batch_statistics: bool | None = None,
    ) -> tf.Tensor:
        """Score every label at every position.

        Args:
            tokens: see `Batch`.
            lengths: see `Batch`.
            visible: see `Batch`.
            training: whether dropout acts.
            step: the training step, which with the seed decides the dropout masks; needed when training.
            batch_statistics: whether batch norm uses this batch's real bases instead of the moving statistics; by
                default when training.

        Returns:
            ``(batch, time, labels)`` float32, 0 beyond the visible end.
        """
        hp = self.hyperparameters
        own = training if batch_statistics is None else batch_statistics
        drop = None
        if training:
            if step is None:
                raise ValueError("training needs the step, which decides the dropout masks")
            drop = layers.Dropout(hp.dropout_rate, self.options.seed, tf.convert_to_tensor(step))
        lengths, visible = (tf.convert_to_tensor(n, tf.int32) for n in (lengths, visible))
        visible_mask, real_mask = _masks(tokens, lengths, visible)
        features = self._convolutions(tokens, visible_mask, real_mask, hp.conv_layers, own, drop)
        for cells in self._cells:
            features = run_lstm(cells, features, visible, training)
            features = drop(features) if drop else features
        if hp.attention_heads:
            parts = [f"multihead_attention/{part}" for part in ("query", "key", "value", "attention_output")]
            weights = tuple(self.weights[f"{part}/{array}"] for part in parts for array in ("kernel", "bias"))
            features += layers.attend(features, weights, visible, drop)
            features = drop(features) if drop else features
        scores = tf.tensordot(features, self.weights["time_dense/kernel"], 1) + self.weights["time_dense/bias"]
        return scores * visible_mask

    def _convolutions(
        self,
        tokens: tf.Tensor,
        visible_mask: tf.Tensor,
        real_mask: tf.Tensor,
        blocks: int,
        batch_statistics: bool,
        drop: layers.Dropout | None,
    ) -> tf.Tensor:
        """The first `blocks` convolution blocks; zeros beyond the visible end."""
        features = self._convolve(tokens, None, 0, visible_mask)
        for block in range(blocks):
            if block:
                features = self._convolve(tokens, features, block, visible_mask)
            scale = drop.scale if drop else 1.0
            gamma, beta = (self.weights[f"batchnorm_{block}/{part}"] * scale for part in ("gamma", "beta"))
            if batch_statistics:
                features = layers.normalise_by_batch(features, real_mask, gamma, beta)
            else:
                features = layers.normalise(features, *self._moving(block), gamma, beta)
            visible = visible_mask > 0
            features = drop(features, visible, scaled=True) if drop else features * tf.cast(visible, features.dtype)
        return features

    def _convolve(
        self, tokens: tf.Tensor, features: tf.Tensor | None, block: int, visible_mask: tf.Tensor
    ) -> tf.Tensor:
        """One convolution with its ReLU: over the embedded tokens in block 0, else over the features before."""
        kernel, bias = (self.weights[f"conv1d_{block}/{part}"] for part in ("kernel", "bias"))
        if features is None:
            table = self.weights["embedding/embeddings"]
            return layers.embed_and_convolve(tokens, table, kernel, bias, visible_mask, self._dtype)
        return layers.convolve(features, kernel, bias, self._dtype)

    def _moving(self, block: int) -> tuple[tf.Variable, tf.Variable]:
        return self.weights[f"batchnorm_{block}/moving_mean"], self.weights[f"batchnorm_{block}/moving_variance"]

    @tf.autograph.experimental.do_not_convert
    def loss(self, emissions: tf.Tensor, labels: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Negative log-likelihood of each read's labels, summed over its real bases.

        Args:
            emissions: from `emissions`.
            labels: ``(batch, time)`` integers; ignored at and beyond a row's length.
            lengths: ``(batch,)`` int32.

        Returns:
            ``(batch,)`` float32: by the CRF, or the summed cross-entropy of a softmax without one.
        """
        if self.hyperparameters.crf_layer:
            return -self._crf.log_likelihood(emissions, labels, lengths, *self._potentials())
        real = tf.sequence_mask(lengths, tf.shape(emissions)[1], tf.float32)
        entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(labels, tf.int32), emissions)
        return tf.reduce_sum(entropy * real, 1)

    @tf.autograph.experimental.do_not_convert
    def penalty(self) -> tf.Tensor:
        """The L2 penalty: `regularization` times the squares of convolution, LSTM and dense kernels."""
        squares = [tf.reduce_sum(tf.square(self.weights[spec.name])) for spec in self._specs if spec.penalised]
        return self.hyperparameters.regularization * tf.add_n(squares)

    @tf.autograph.experimental.do_not_convert
    def decode(self, emissions: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Label every base: the most probable sequence under the CRF, or each position's best label without one.

        Returns:
            ``(batch, time)`` uint8; 0 at and beyond a row's length.
        """
        if self.hyperparameters.crf_layer:
            return self._crf.decode(emissions, lengths, *self._potentials())
        best = tf.argmax(emissions, -1, output_type=tf.int32)
        real = tf.sequence_mask(lengths, tf.shape(emissions)[1])
        return tf.cast(tf.where(real, best, 0), tf.uint8)

    @functools.cached_property
    def label_graph(self) -> Callable[..., tf.Tensor]:
        """Traced once: from tokens, lengths to decode, and visible lengths to labels ``(batch, time)`` uint8."""
        return tf.function(
            lambda *batch: self.decode(self.emissions(*batch, training=False), batch[1]),
            input_signature=_BATCH_SIGNATURE,
            autograph=False,
        )

    def _potentials(self) -> tuple[tf.Variable | None, ...]:
        """Transitions and, with boundary potentials, scores of the first and the last label."""
        boundaries = ("crf/left_boundary", "crf/right_boundary")
        return self.weights["crf/transitions"], *(self.weights.get(name) for name in boundaries)

    def recalibrate(self, batches: Callable[[], Iterable[Batch]]) -> None:
        """Set the moving statistics to the exact statistics of the given reads' real bases, as inference sees them.

        One pass over the reads for each batch norm, because its input depends on the statistics of those before.

        Args:
            batches: called once a pass; gives the same reads each time.
        """
        for block in range(self.hyperparameters.conv_layers):
            moments = self._moment_graph(block)
            merged = layers.RunningMoments(self.hyperparameters.conv_filters)
            for batch in batches():
                merged.add(*(value.numpy() for value in moments(*batch)))
            if merged.count:
                mean, variance = self._moving(block)
                mean.assign(merged.mean)
                variance.assign(merged.variance)

    def _moment_graph(self, block: int) -> Callable[..., tuple[tf.Tensor, ...]]:
        if block not in self._moment_graphs:
            self._moment_graphs[block] = tf.function(
                lambda *batch: self._moments(block, Batch(*batch)), input_signature=_BATCH_SIGNATURE, autograph=False
            )
        return self._moment_graphs[block]

    def _moments(self, block: int, batch: Batch) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Number of real bases, and mean and variance over them of what batch norm `block` is given."""
        visible_mask, real_mask = _masks(*batch)
        features = None
        if block:
            features = self._convolutions(batch.tokens, visible_mask, real_mask, block, False, None)
        features = self._convolve(batch.tokens, features, block, visible_mask)
        return tf.reduce_sum(batch.lengths), *layers.real_statistics(features, real_mask)


def _masks(tokens: tf.Tensor, lengths: tf.Tensor, visible: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """``(batch, time, 1)`` float masks of the visible positions and of the real bases."""
    time = tf.shape(tokens)[1]
    return tuple(tf.sequence_mask(n, time, tf.float32)[..., None] for n in (visible, lengths))


class _CrfFunctions(NamedTuple):
    log_likelihood: Callable[..., tf.Tensor]
    decode: Callable[..., tf.Tensor]


def _crf_functions(options: TrainingOptions) -> _CrfFunctions:
    if options.crf_backend == "tfa":
        from readlabel.model import tfa_backend  # slow to import, and rarely wanted

        return _CrfFunctions(tfa_backend.log_likelihood, tfa_backend.decode)
    return _CrfFunctions(crf_likelihood.log_likelihood, viterbi.decode)
