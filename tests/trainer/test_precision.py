"""Reduced precision, as far as a CPU shows it."""

from __future__ import annotations

import numpy as np
import pytest

from readlabel.messages import Hyperparameters, Library, TrainingOptions
from readlabel.model.network import Network
from readlabel.reads.labelled import LabelledReads
from readlabel.trainer.adam import Adam
from readlabel.trainer.batches import Batches
from readlabel.trainer.memory import Footprint
from readlabel.trainer.steps import Stepper

_LEARNING_RATE = 0.003
"""At 0.01 single steps raise the loss by a third, and a rounding error decides when: paths part in any precision."""


def _losses(point: Hyperparameters, library: Library, reads: LabelledReads) -> list[float]:
    network = Network.build(point, library, TrainingOptions(seed=4))
    footprint = Footprint.of(point, len(network.labels))
    stepper = Stepper(network, Adam(network.trainable_variables), footprint, 0, on_parts=[].append)
    batches = Batches(reads, np.arange(len(reads)), np.zeros(len(reads), np.int64), 8, 4)
    steps = enumerate((batch for epoch in range(1, 9) for batch in batches.epoch(epoch)), start=1)
    return [stepper.step(batch, number, _LEARNING_RATE).loss for number, batch in steps]


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_reduced_precision_learns_as_float32_does(
    precision: str, tiny: Hyperparameters, library: Library, reads: LabelledReads
) -> None:
    whole = _losses(tiny, library, reads)
    reduced = _losses(tiny.model_copy(update={"precision": precision}), library, reads)
    assert whole[-1] < 0.7 * whole[0]
    np.testing.assert_allclose(reduced, whole, rtol=0.02)
