"""Same seed, same data: the same bits, in whichever process."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import hashlib
import numpy as np
import tensorflow as tf
from readlabel.messages import Hyperparameters, Library, Segment, TrainingOptions
from readlabel.model import Network

library = Library(model="m", segments=tuple(Segment(name=n, pattern="NN") for n in ("a", "b", "c")), strand="fwd")
hyperparameters = Hyperparameters(embedding_dim=8, conv_layers=2, conv_filters=32, conv_kernel_size=9, lstm_units=16)
network = Network.build(hyperparameters, library, TrainingOptions(seed=5))
random = np.random.default_rng(0)
lengths = random.integers(100, 200, 16).astype(np.int32)
tokens, labels = random.integers(1, 6, (16, 208)).astype(np.uint8), random.integers(0, 3, (16, 208)).astype(np.uint8)

@tf.function(autograph=False)
def step(number):
    with tf.GradientTape() as tape:
        emissions = network.emissions(tokens, lengths, lengths, training=True, step=number)
        loss = tf.reduce_mean(network.loss(emissions, labels, lengths)) + network.penalty()
    for variable, gradient in zip(network.trainable_variables, tape.gradient(loss, network.trainable_variables)):
        variable.assign_sub(0.001 * gradient)

digest = hashlib.sha256()
for number in range(3):
    step(tf.constant(number, tf.int64))
for variable in network.trainable_variables:
    digest.update(variable.numpy().tobytes())
print(digest.hexdigest())
"""


def test_two_processes_train_the_same_bits() -> None:
    processes = [
        subprocess.Popen([sys.executable, "-W", "ignore", "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    first, second = (process.communicate()[0] for process in processes)
    assert len(first.strip()) == 64
    assert first == second
