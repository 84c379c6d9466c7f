"""The baseline of `benchmarks/engine.py`: training as users have it today, without anything of readlabel's engine.

Keras layers, batches in the order in which the reads arrive, padded to the longest read of each, the CRF of
tensorflow-addons (or categorical cross-entropy), Keras' Adam. Nothing is masked, so padding is trained as label 0, as
tranquillyzer trains it. One generosity: batch norm is recalibrated before the network is judged, or it would not be a
contest (`docs/training.md`).

    python benchmarks/plain_trainer.py TRAIN.parquet HELD_OUT.parquet HYPERPARAMETERS.json

prints one JSON object.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa
from numpy.typing import NDArray

from readlabel.evaluation import score
from readlabel.messages import Hyperparameters
from readlabel.reads.labelled import LabelledReads
from readlabel.reads.parquet import read_library, read_reads
from readlabel.trainer.machine import peak_memory

CALIBRATION_BATCHES = 24
Arrays = tuple[NDArray[np.int32], NDArray[np.int32]]


def build(hp: Hyperparameters, num_labels: int) -> tf.keras.Model:
    """The network up to its scores, of stock layers."""
    layers, decay = tf.keras.layers, tf.keras.regularizers.l2(hp.regularization)
    inputs = tf.keras.Input([None], dtype=tf.int32)
    x = layers.Embedding(6, hp.embedding_dim)(inputs)
    for _ in range(hp.conv_layers):
        x = layers.Conv1D(
            hp.conv_filters, hp.conv_kernel_size, padding="same", activation="relu", kernel_regularizer=decay
        )(x)
        x = layers.Dropout(hp.dropout_rate)(layers.BatchNormalization()(x))
    for layer in range(hp.lstm_layers):
        units = hp.lstm_units if layer == 0 else hp.lstm_units // 2
        lstm = layers.LSTM(units, return_sequences=True, kernel_regularizer=decay, recurrent_regularizer=decay)
        x = layers.Dropout(hp.dropout_rate)((layers.Bidirectional(lstm) if hp.bidirectional else lstm)(x))
    return tf.keras.Model(inputs, layers.Dense(num_labels, kernel_regularizer=decay)(x))


class PlainTrainer:
    """Network, optimizer and one training step."""

    def __init__(self, hp: Hyperparameters, num_labels: int) -> None:
        self.model = build(hp, num_labels)
        self.crf = hp.crf_layer
        self.transitions = tf.Variable(tf.keras.initializers.Orthogonal()([num_labels, num_labels]))
        self.num_labels = num_labels
        self.optimizer = tf.keras.optimizers.Adam(hp.learning_rate, clipnorm=1.0)
        signature = [tf.TensorSpec([None, None], tf.int32)] * 2
        self.step = tf.function(self._step, input_signature=signature, autograph=False)
        self.scores = tf.function(self.model, input_signature=signature[:1], autograph=False)
        self.decode = tf.function(
            lambda scores, lengths: tfa.text.crf_decode(scores, self.transitions, lengths)[0],
            input_signature=[tf.TensorSpec([None, None, num_labels]), tf.TensorSpec([None], tf.int32)],
            autograph=False,
        )

    def _step(self, tokens: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        variables = [*self.model.trainable_variables, *([self.transitions] if self.crf else [])]
        with tf.GradientTape() as tape:
            scores = self.model(tokens, training=True)
            if self.crf:
                whole = tf.fill([tf.shape(tokens)[0]], tf.shape(tokens)[1])
                likelihood, _ = tfa.text.crf_log_likelihood(scores, labels, whole, self.transitions)
                loss = -tf.reduce_mean(likelihood)
            else:
                truth = tf.one_hot(labels, self.num_labels)
                entropy = tf.nn.softmax_cross_entropy_with_logits(truth, scores)
                loss = tf.reduce_mean(tf.reduce_sum(entropy, 1))
            loss += tf.add_n(self.model.losses)
        self.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    def recalibrate(self, batches: list[Arrays]) -> None:
        """Give batch norm the mean of its statistics over some batches."""
        norms = [layer for layer in self.model.layers if isinstance(layer, tf.keras.layers.BatchNormalization)]
        for done, (tokens, _) in enumerate(batches):
            for norm in norms:
                norm.momentum = done / (done + 1)
            self.model(tokens, training=True)

    def label(self, reads: LabelledReads) -> NDArray[np.uint8]:
        """Every base's label, reads of similar length together."""
        found = np.zeros(reads.num_bases, np.uint8)
        order = np.argsort(reads.lengths, kind="stable")
        for begin in range(0, len(order), 32):
            members = order[begin : begin + 32]
            tokens, _ = pack(reads, members)
            scores = self.scores(tokens)
            lengths = reads.lengths[members].astype(np.int32)
            labels = tf.argmax(scores, -1)
            if self.crf:
                labels = self.decode(scores, lengths)
            for row, read in enumerate(members):
                found[reads.offsets[read] : reads.offsets[read + 1]] = labels[row, : lengths[row]].numpy()
        return found


def pack(reads: LabelledReads, members: NDArray[np.int64]) -> Arrays:
    """Reads side by side, padded to the longest."""
    shape = (len(members), int(reads.lengths[members].max()))
    tokens, labels = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    for row, read in enumerate(members):
        bases = slice(reads.offsets[read], reads.offsets[read + 1])
        tokens[row, : reads.lengths[read]] = reads.tokens[bases]
        labels[row, : reads.lengths[read]] = reads.labels[bases]
    return tokens, labels


def batches(reads: LabelledReads, size: int) -> Iterator[Arrays]:
    """The reads in the order in which they arrive."""
    for begin in range(0, len(reads), size):
        yield pack(reads, np.arange(begin, min(begin + size, len(reads))))


def main() -> None:
    train, held_out, parameters = map(Path, sys.argv[1:])
    hp = Hyperparameters.model_validate_json(parameters.read_text())
    labels = read_library(train).labels
    reads, judged_on = read_reads(train), read_reads(held_out)
    tf.keras.utils.set_random_seed(1)
    trainer = PlainTrainer(hp, len(labels))
    begin = time.monotonic()
    epochs = []
    for _ in range(hp.epochs):
        epoch_begin = time.monotonic()
        for batch in batches(reads, hp.batch_size):
            float(trainer.step(*batch))
        epochs.append(reads.num_bases / (time.monotonic() - epoch_begin))
    seconds, memory = time.monotonic() - begin, peak_memory()
    trainer.recalibrate(list(itertools.islice(batches(reads, hp.batch_size), CALIBRATION_BATCHES)))
    scores = score(labels, judged_on.offsets, judged_on.labels, trainer.label(judged_on))
    print(
        json.dumps(
            {
                "epochs": epochs,
                "whole": hp.epochs * reads.num_bases / seconds,
                "peak_bytes": memory,
                "accuracy": scores.accuracy,
                "macro_f1": scores.macro_f1,
                "exact_order": scores.exact_order,
            }
        )
    )


if __name__ == "__main__":
    main()
