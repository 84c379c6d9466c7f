"""Trained numbers are those of `ENGINE_REVISION`: whoever changes them raises it, and writes down the new ones here.

A cached or half-finished run is gone on with, or taken for the one asked for, as long as the revision is the same.
"""

from __future__ import annotations

import numpy as np

from readlabel.messages import ENGINE_REVISION, Hyperparameters, Library, TrainingOptions
from readlabel.model.network import Network
from readlabel.reads.labelled import LabelledReads
from readlabel.trainer.adam import Adam
from readlabel.trainer.batches import Batches
from readlabel.trainer.memory import Footprint
from readlabel.trainer.steps import Stepper
from readlabel.trainer.tails import visible_tails

REVISION = 3
LOSSES = [53.24095, 49.13171, 49.13401, 41.40911, 43.62182]
GRADIENT_NORMS = [96.59962, 63.15725, 55.57685, 33.90729, 54.46984]
SQUARED_WEIGHTS = 69.97581


def test_the_revision_stands_for_the_numbers_that_training_gives(
    tiny: Hyperparameters, library: Library, reads: LabelledReads
) -> None:
    assert ENGINE_REVISION == REVISION, "a new revision has new numbers: put them into this test"
    network = Network.build(tiny, library, TrainingOptions(seed=6))
    stepper = Stepper(network, Adam(network.trainable_variables), Footprint.of(tiny, 4), 0, on_parts=[].append)
    batches = Batches(reads, np.arange(len(reads)), visible_tails(reads.read_ids, 6), 8, 6)
    results = [stepper.step(batch, number, 0.01) for number, batch in enumerate(batches.epoch(1), start=1)]
    found = [result.loss for result in results], [result.gradient_norm for result in results]
    squares = sum(float(np.square(variable.numpy()).sum()) for variable in network.trainable_variables)
    # Another machine rounds otherwise, by some 1e-6; another initial value, mask, batch or order of layers is far off.
    hint = f"training gives other numbers: raise ENGINE_REVISION ({found}, {squares})"
    np.testing.assert_allclose(found[0], LOSSES, rtol=2e-4, err_msg=hint)
    np.testing.assert_allclose(found[1], GRADIENT_NORMS, rtol=2e-3, err_msg=hint)
    np.testing.assert_allclose(squares, SQUARED_WEIGHTS, rtol=2e-4, err_msg=hint)
