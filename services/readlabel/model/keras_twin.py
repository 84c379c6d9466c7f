"""The network without its CRF as a model of stock Keras layers, for the file that tranquillyzer opens by itself.

What enters are hyperparameters and arrays; what leaves is a `tf.keras.Model` from tokens ``(batch, time)`` to logits
``(batch, time, outputs)``. Its layers are those of formats named in tranquillyzer's own model, layer by layer.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from readlabel.messages import Hyperparameters
from readlabel.model.architecture import WeightSpec, lstm_units


def keras_twin(
    hyperparameters: Hyperparameters, specs: tuple[WeightSpec, ...], arrays: Mapping[str, np.ndarray]
) -> tf.keras.Model:
    """Build the model and set its weights.

    Args:
        hyperparameters: what the network was built from.
        specs: the network's arrays in file order, at the width of the file.
        arrays: a value for each of them.
    """
    outputs = next(spec for spec in specs if spec.name == "time_dense/bias").shape[0]
    tokens = tf.keras.Input((None,), dtype="int32", name="input_tokens")
    model = tf.keras.Model(tokens, _layers(hyperparameters, tokens, outputs), name="model")
    for layer in model.layers:
        layer.set_weights([arrays[spec.name] for spec in specs if spec.name.split("/")[0] == layer.name])
    return model


def _layers(hp: Hyperparameters, tokens: tf.Tensor, outputs: int) -> tf.Tensor:
    layers = tf.keras.layers

    def penalty() -> tf.keras.regularizers.Regularizer:
        return tf.keras.regularizers.L2(hp.regularization)

    x = layers.Embedding(hp.vocab_size + 1, hp.embedding_dim, name="embedding")(tokens)
    for block in range(hp.conv_layers):
        x = layers.Conv1D(
            hp.conv_filters,
            hp.conv_kernel_size,
            padding="same",
            activation="relu",
            kernel_regularizer=penalty(),
            name=f"conv1d_{block}",
        )(x)
        x = layers.BatchNormalization(name=f"batchnorm_{block}")(x)
        x = layers.Dropout(hp.dropout_rate, name=f"dropout_conv_{block}")(x)
    for layer in range(hp.lstm_layers):
        lstm = layers.LSTM(
            lstm_units(hp, layer),
            return_sequences=True,
            kernel_regularizer=penalty(),
            recurrent_regularizer=penalty(),
            name=f"lstm_{layer}",
        )
        x = (layers.Bidirectional(lstm, name=f"bilstm_{layer}") if hp.bidirectional else lstm)(x)
        x = layers.Dropout(hp.dropout_rate, name=f"dropout_lstm_{layer}")(x)
    if hp.attention_heads:
        attention = layers.MultiHeadAttention(
            hp.attention_heads, hp.lstm_units, dropout=hp.dropout_rate, name="multihead_attention"
        )
        x = layers.Add(name="residual_attention")([x, attention(x, x)])
        x = layers.Dropout(hp.dropout_rate, name="dropout_attention")(x)
    dense = layers.Dense(outputs, kernel_regularizer=penalty(), name="dense")
    return layers.TimeDistributed(dense, name="time_dense")(x)
