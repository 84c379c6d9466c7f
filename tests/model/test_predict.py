"""Labels for many reads: batching, padding and memory must not show in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from readlabel.messages import TrainingFailedError
from readlabel.model import Network
from readlabel.model.predict import PredictionProgress, predict, tranquillyzer_visible
from readlabel.reads.labelled import LabelledReads, runs

LENGTHS = [40, 3, 70, 1, 25, 64, 41, 12]


@pytest.fixture(scope="module")
def reads() -> LabelledReads:
    random = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(LENGTHS)]).astype(np.int64)
    labels = np.zeros(offsets[-1], np.uint8)
    count = len(LENGTHS)
    return LabelledReads(
        label_names=("3p", "5p", "UMI", "cDNA"),
        offsets=offsets,
        tokens=random.integers(1, 6, offsets[-1]).astype(np.uint8),
        labels=labels,
        read_ids=np.array([f"r{i}" for i in range(count)]),
        pair=np.arange(count),
        kind=np.zeros(count, np.uint8),
        strand=np.zeros(count, np.uint8),
        segments=runs(offsets, labels),
        transcript=np.array([None] * count),
    )


@pytest.fixture(scope="module")
def network(make_network: Any, shake: Any) -> Network:
    return shake(make_network(attention_heads=2))


def one_by_one(network: Network, reads: LabelledReads, visible: Callable[[int], int], decoded: bool) -> np.ndarray:
    labels = []
    for read in range(len(reads)):
        tokens = reads.tokens_of(read)
        shown = visible(len(tokens))
        padded = np.pad(tokens, (0, shown - len(tokens)))[None]
        until = [shown if decoded else len(tokens)]
        emissions = network.emissions(padded, [len(tokens)], [shown], training=False)
        labels.append(network.decode(emissions, until).numpy()[0, : len(tokens)])
    return np.concatenate(labels)


@pytest.mark.parametrize("target_tokens", [1, 150, 1_200_000])
def test_batches_do_not_show_in_the_labels(network: Network, reads: LabelledReads, target_tokens: int) -> None:
    found = predict(network, reads, target_tokens=target_tokens)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, one_by_one(network, reads, lambda length: length, decoded=False))


def test_tranquillyzers_padding_is_seen_and_decoded(network: Network, reads: LabelledReads) -> None:
    found = predict(network, reads, padding="tranquillyzer")
    np.testing.assert_array_equal(found, one_by_one(network, reads, lambda _: 509, decoded=True))
    assert (found != predict(network, reads)).any()


def test_tranquillyzer_pads_to_the_end_of_a_length_bin_and_ten_more() -> None:
    lengths = [1, 499, 500, 9_999, 10_000, 49_999, 50_000, 100_000, 130_000]
    visible = [509, 509, 1_009, 10_009, 15_009, 50_009, 60_009, 125_009, 150_009]
    assert tranquillyzer_visible(np.array(lengths)).tolist() == visible


def test_progress_ends_with_every_base(network: Network, reads: LabelledReads) -> None:
    told: list[PredictionProgress] = []
    predict(network, reads, target_tokens=150, max_batch_size=4, progress=told.append)
    assert told[-1].bases == told[-1].total_bases == reads.num_bases
    assert told[-1].bases_per_second > 0
    assert max(step.batch_size for step in told) <= 4


def limit_memory(network: Network, monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """TensorFlow's answer to a batch that does not fit, for any with more rows."""
    graph = network.label_graph

    def limited(tokens: np.ndarray, *lengths: np.ndarray) -> tf.Tensor:
        if len(tokens) > rows:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return graph(tokens, *lengths)

    monkeypatch.setitem(network.__dict__, "label_graph", limited)


def test_a_batch_that_does_not_fit_is_halved(
    network: Network, reads: LabelledReads, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = predict(network, reads)
    limit_memory(network, monkeypatch, rows=2)
    told: list[PredictionProgress] = []
    np.testing.assert_array_equal(predict(network, reads, progress=told.append), expected)
    assert {step.batch_size for step in told} == {2}


def test_reads_that_never_fit_are_an_error(
    network: Network, reads: LabelledReads, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_memory(network, monkeypatch, rows=2)
    with pytest.raises(TrainingFailedError, match="4 reads of up to 70 positions do not fit"):
        predict(network, reads, min_batch_size=4)


def test_no_reads_give_no_labels(network: Network, reads: LabelledReads) -> None:
    assert len(predict(network, reads.take([]))) == 0
