"""What the network is fed."""

from __future__ import annotations

import numpy as np

from readlabel.reads.labelled import LabelledReads
from readlabel.trainer.batches import Batches
from readlabel.trainer.tails import LONGEST_TAIL, visible_tails


def _batches(reads: LabelledReads, batch_size: int = 8, seed: int = 1, members: np.ndarray | None = None) -> Batches:
    chosen = np.arange(len(reads)) if members is None else members
    return Batches(reads, chosen, visible_tails(reads.read_ids, seed), batch_size, seed)


def test_an_epoch_holds_every_member_once_and_no_other(reads: LabelledReads) -> None:
    members = np.arange(0, len(reads), 3)
    plan = _batches(reads, members=members).plan(1)
    assert sorted(np.concatenate(plan)) == members.tolist()


def test_batches_follow_from_seed_and_epoch_wherever_they_start(reads: LabelledReads) -> None:
    whole = list(_batches(reads).epoch(3))
    again = list(_batches(reads).epoch(3, start=2))
    assert len(again) == len(whole) - 2
    for one, other in zip(whole[2:], again, strict=True):
        assert np.array_equal(one.tokens, other.tokens)
        assert np.array_equal(one.visible, other.visible)
    assert not all(np.array_equal(a, b) for a, b in zip(_batches(reads).plan(1), _batches(reads).plan(2), strict=True))
    other_seed = Batches(reads, np.arange(40), visible_tails(reads.read_ids, 1), 8, 2).plan(3)
    assert not all(np.array_equal(a, b) for a, b in zip(_batches(reads).plan(3), other_seed, strict=True))


def test_a_batch_says_what_the_reads_say_and_pads_with_zeros(reads: LabelledReads) -> None:
    batches = _batches(reads, batch_size=7)
    tails = visible_tails(reads.read_ids, 1)
    for members, batch in zip(batches.plan(1), batches.epoch(1), strict=True):
        assert batch.tokens.shape[0] == 7
        # A byte a base and a byte a label: no one-hot labels.
        assert batch.tokens.nbytes == batch.labels.nbytes == batch.positions
        assert batch.tokens.shape[1] % 16 == 0
        for row, read in enumerate(members):
            length = int(reads.lengths[read])
            assert batch.lengths[row] == length
            assert batch.visible[row] == length + tails[read]
            assert np.array_equal(batch.tokens[row, :length], reads.tokens_of(read))
            assert np.array_equal(batch.labels[row, :length], reads.labels_of(read))
            assert not batch.tokens[row, length:].any()
        assert not batch.visible[len(members) :].any()
        assert batch.reads == len(members)
        assert batch.visible.max() <= batch.tokens.shape[1]


def test_validation_meets_every_member_once_in_order_of_length(reads: LabelledReads) -> None:
    lengths = np.concatenate([batch.visible[batch.lengths > 0] for batch in _batches(reads, 16).in_order()])
    assert len(lengths) == len(reads)
    assert np.all(np.diff(lengths) >= 0)


def test_a_batch_size_beyond_the_reads_gives_one_batch_of_all(reads: LabelledReads) -> None:
    batches = _batches(reads, batch_size=1000)
    assert len(batches) == 1
    assert next(batches.epoch(1)).tokens.shape[0] == len(reads)


def test_a_tail_depends_on_seed_and_id_alone() -> None:
    ids = [f"read-{i}" for i in range(4000)]
    tails = visible_tails(ids, 5)
    assert np.array_equal(tails[::-1], visible_tails(ids[::-1], 5))
    assert not np.array_equal(tails, visible_tails(ids, 6))


def test_half_of_the_reads_have_no_tail_and_a_few_one_as_long_as_tranquillyzer_makes() -> None:
    tails = visible_tails([f"read-{i}" for i in range(40_000)], 1)
    assert 0.48 < np.mean(tails == 0) < 0.52
    assert 0.01 < np.mean(tails > 64) < 0.025
    assert 450 < tails.max() <= LONGEST_TAIL
