"""Where a training step's time goes: its parts on a batch of 32 × 512 bases, and the share of the processor it uses.

    python benchmarks/step_profile.py '{"conv_filters": 64, …}'

prints one JSON object in the form of `benchmarks/engine.py`. The baseline of each part's time is that of the whole
step, so `ratio` is the part's share; parts are run alone, forward and backward. `lstm_in_chunks` is the LSTM as it is
trained against TensorFlow's BlockLSTM and its gradient, `convolution_both_ways` the last convolution and its gradients
against TensorFlow's, `step_bfloat16` the step in mixed_bfloat16 against float32, in turn. Utilisation is the step's
executed multiplications and additions a second over those of a 2,048² float32 product, the fastest of many that are run
between the other measurements: a busy neighbour can slow some, but speed up none.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from readlabel.messages import Hyperparameters, TrainingOptions
from readlabel.tables import read_library_row
from readlabel.trainer.machine import claim_device

ROWS, TIME = 32, 512
CALLS = 12
ROUNDS = 3
ORDERS = Path(__file__).resolve().parent.parent / "assets" / "training_seq_orders.tsv"
Row = dict[str, object]


def seconds(call: Callable[[], object]) -> tuple[float, float]:
    """Median and spread of some calls after two that trace and compile."""
    call(), call()
    times = []
    for _ in range(CALLS):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    middle = statistics.median(times)
    return middle, (max(times) - min(times)) / middle


def flops_per_position(hp: Hyperparameters, num_labels: int) -> float:
    """Multiplications and additions that a step executes, forward and backward (twice the forward ones)."""
    symbols = min(6, hp.embedding_dim)
    first = 2 * hp.conv_kernel_size * symbols * hp.conv_filters * 2  # tokens need no gradient
    convolutions = 3 * 2 * hp.conv_kernel_size * hp.conv_filters**2 * (hp.conv_layers - 1)
    inputs, directions, recurrent = hp.conv_filters, 1 + hp.bidirectional, 0
    for layer in range(hp.lstm_layers):
        units = hp.lstm_units if layer == 0 else hp.lstm_units // 2
        recurrent += 3 * 2 * directions * (inputs + units) * 4 * units
        inputs = directions * units
    return first + convolutions + recurrent + 3 * 2 * inputs * num_labels


def main() -> None:
    import os

    claim_device("cpu", len(os.sched_getaffinity(0)))
    import tensorflow as tf

    from readlabel.model import layers
    from readlabel.model.lstm import run_lstm
    from readlabel.model.network import Network
    from readlabel.trainer.adam import Adam
    from readlabel.trainer.batches import Batch
    from readlabel.trainer.memory import Footprint
    from readlabel.trainer.steps import Stepper

    hp = Hyperparameters.model_validate_json(sys.argv[1])
    library = read_library_row(ORDERS, "10x3p_sc_ont")
    network = Network.build(hp, library, TrainingOptions(seed=1))

    def stepper_of(network: Network) -> Stepper:
        footprint = Footprint.of(network.hyperparameters, len(library.labels))
        return Stepper(network, Adam(network.trainable_variables), footprint, 0, print)

    stepper = stepper_of(network)
    random = np.random.default_rng(1)
    tokens = random.integers(1, 5, (ROWS, TIME)).astype(np.uint8)
    labels = random.integers(0, len(library.labels), (ROWS, TIME)).astype(np.uint8)
    lengths = np.full(ROWS, TIME, np.int32)
    batch, mask = Batch(tokens, labels, lengths, lengths), tf.ones([ROWS, TIME, 1])
    features = tf.random.normal([ROWS, TIME, hp.conv_filters])
    emissions = tf.random.normal([ROWS, TIME, len(library.labels)])

    def both_ways(forward: Callable[[], tf.Tensor], watched: list[tf.Tensor]) -> Callable[[], object]:
        @tf.function(autograph=False)
        def call() -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(watched)
                output = forward()
            return tape.gradient(output, watched, output_gradients=output)

        return lambda: call()[0].numpy()

    weights = network.weights
    convolution = [v for k, v in weights.items() if k.startswith(("emb", "conv")) or "gamma" in k or "beta" in k]
    lstm = [v for k, v in weights.items() if "lstm" in k]
    dropout = layers.Dropout(hp.dropout_rate, 1, tf.constant(1, tf.int64))
    numbers = iter(range(1, 1000))
    product = tf.function(tf.matmul, autograph=False)
    square = tf.random.normal([2048, 2048])
    products: list[float] = []

    def multiply() -> None:
        for _ in range(CALLS):
            begin = time.perf_counter()
            product(square, square).numpy()
            products.append(time.perf_counter() - begin)

    multiply()
    step, spread = seconds(lambda: stepper.step(batch, next(numbers), 1e-3))
    multiply()
    parts = {
        "convolutions": both_ways(
            lambda: network._convolutions(tokens, mask, mask, hp.conv_layers, True, dropout), convolution
        ),
        "lstm": both_ways(lambda: run_lstm(network._cells[0], features, lengths, training=True), [features, *lstm]),
        "crf": both_ways(lambda: network.loss(emissions, labels, lengths), [emissions, weights["crf/transitions"]]),
    }
    found: dict[str, Row] = {}
    for name, call in parts.items():
        part, part_spread = seconds(call)
        found[f"step_{name}"] = row(step, part, "s of a step", part_spread)
        multiply()
    block, _ = seconds(both_ways(lambda: run_lstm(network._cells[0], features, lengths), [features, *lstm]))
    chunks, chunks_spread = seconds(parts["lstm"])
    found["lstm_in_chunks"] = row(block, chunks, "s", chunks_spread)
    kernel, bias = (weights[f"conv1d_{hp.conv_layers - 1}/{part}"] for part in ("kernel", "bias"))
    wide = tf.random.normal([ROWS, TIME, kernel.shape[1]])
    dtype = tf.bfloat16 if hp.precision == "mixed_bfloat16" else tf.float32

    def stock() -> tf.Tensor:
        given = (tf.cast(values, dtype) for values in (wide, kernel))
        return tf.nn.relu(tf.nn.bias_add(tf.nn.conv1d(*given, 1, "SAME"), tf.cast(bias, dtype)))

    theirs, _ = seconds(both_ways(stock, [wide, kernel, bias]))
    ours, ours_spread = seconds(both_ways(lambda: layers.convolve(wide, kernel, bias, dtype), [wide, kernel, bias]))
    found["convolution_both_ways"] = row(theirs, ours, "s", ours_spread)
    steppers = {
        precision: stepper_of(Network.build(hp.model_copy(update={"precision": precision}), library, network.options))
        for precision in ("float32", "mixed_bfloat16")
    }
    rounds = [
        [seconds(lambda s=s: s.step(batch, next(numbers), 1e-3))[0] for s in steppers.values()] for _ in range(ROUNDS)
    ]
    float32, bfloat16 = zip(*rounds, strict=True)
    middle = statistics.median(bfloat16)
    spread_of_rounds = (max(bfloat16) - min(bfloat16)) / middle
    found["step_bfloat16"] = row(statistics.median(float32), middle, "s", spread_of_rounds)
    multiply()
    peak = 2 * 2048**3 / min(products)
    executed = flops_per_position(hp, len(library.labels)) * ROWS * TIME / step
    found["flops_utilisation"] = row(peak / 1e9, executed / 1e9, "GFLOP/s", spread)
    print(json.dumps(found))


def row(baseline: float, value: float, unit: str, spread: float) -> Row:
    return {
        "baseline": round(baseline, 4),
        "value": round(value, 4),
        "ratio": round(value / baseline, 3),
        "unit": unit,
        "spread": round(spread, 3),
    }


if __name__ == "__main__":
    main()
