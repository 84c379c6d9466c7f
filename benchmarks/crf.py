"""The CRF against tensorflow-addons' on 16 rows × 2,000 positions × 10 labels: loss with all gradients, and decoding.

Both sides alternate in one process. `python benchmarks/crf.py REPEATS` prints one JSON object in the form of
`benchmarks/engine.py`; values are seconds a call, the ratio is baseline ÷ value.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

import tensorflow as tf

from readlabel.model import crf_likelihood, tfa_backend, viterbi

ROWS, TIME, LABELS = 16, 2000, 10
CALLS = 5


def seconds(call: Callable[[], tf.Tensor]) -> float:
    """Time of the fastest of some calls."""
    times = []
    for _ in range(CALLS):
        begin = time.perf_counter()
        call().numpy()
        times.append(time.perf_counter() - begin)
    return min(times)


def figure(ours: Callable[[], tf.Tensor], theirs: Callable[[], tf.Tensor], repeats: int) -> dict[str, object]:
    """Medians of alternating rounds after one that compiles."""
    seconds(ours), seconds(theirs)
    rounds = [(seconds(ours), seconds(theirs)) for _ in range(repeats)]
    values, baselines = zip(*rounds, strict=True)
    value, baseline = statistics.median(values), statistics.median(baselines)
    spread = (max(values) - min(values)) / value
    return {
        "baseline": round(baseline, 5),
        "value": round(value, 5),
        "ratio": round(baseline / value, 1),
        "unit": "s",
        "spread": round(spread, 3),
    }


def main() -> None:
    repeats = max(3, int(sys.argv[1]) if sys.argv[1:] else 3)
    random = tf.random.Generator.from_seed(1)
    emissions, transitions = random.normal([ROWS, TIME, LABELS]), random.normal([LABELS, LABELS])
    labels = random.uniform([ROWS, TIME], maxval=LABELS, dtype=tf.int32)
    lengths = tf.constant([TIME - 13 * row for row in range(ROWS)])

    def gradients(log_likelihood: Callable[..., tf.Tensor]) -> Callable[[], tf.Tensor]:
        @tf.function(autograph=False)
        def call() -> tf.Tensor:
            with tf.GradientTape() as tape:
                tape.watch([emissions, transitions])
                loss = -tf.reduce_mean(log_likelihood(emissions, labels, lengths, transitions, None, None))
            by_emission, by_transition = tape.gradient(loss, [emissions, transitions])
            return tf.reduce_sum(by_emission) + tf.reduce_sum(by_transition) + loss

        return call

    def decoding(decode: Callable[..., tf.Tensor]) -> Callable[[], tf.Tensor]:
        return tf.function(lambda: decode(emissions, lengths, transitions, None, None), autograph=False)

    name = f"{ROWS}x{TIME}x{LABELS}"
    found = {
        f"crf_loss_grad_{name}": figure(
            gradients(crf_likelihood.log_likelihood), gradients(tfa_backend.log_likelihood), repeats
        ),
        f"crf_decode_{name}": figure(decoding(viterbi.decode), decoding(tfa_backend.decode), repeats),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
