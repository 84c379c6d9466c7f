from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from readlabel.messages import InputError, Library
from readlabel.reads.labelled import LabelledReads
from readlabel.reads.parquet import read_reads
from readlabel.simulator.parameters import SimulationParameters
from readlabel.simulator.simulate import simulate
from readlabel.simulator.write import write_simulated

Draw = Callable[..., LabelledReads]


def write(path: Path, library: Library, **arguments: object) -> bytes:
    given = {"seed": 7, "stream": "training", "num_reads": 1500} | arguments
    write_simulated(path, library, SimulationParameters(), **given)  # type: ignore[arg-type]
    return path.read_bytes()


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, library_3p: Library) -> None:
    assert write(tmp_path / "a", library_3p) == write(tmp_path / "b", library_3p)


def test_another_seed_or_stream_gives_other_reads(tmp_path: Path, library_3p: Library) -> None:
    contents = {
        write(tmp_path / "a", library_3p),
        write(tmp_path / "b", library_3p, seed=8),
        write(tmp_path / "c", library_3p, stream="validation"),
    }
    assert len(contents) == 3


def test_workers_do_not_change_the_reads(draw: Draw) -> None:
    # 30 blocks of 512 molecules: enough for workers to be started.
    alone, together = draw(15_000), draw(15_000, workers=2)
    np.testing.assert_array_equal(alone.tokens, together.tokens)
    np.testing.assert_array_equal(alone.labels, together.labels)
    assert alone.read_ids.tolist() == together.read_ids.tolist()
    assert alone.transcript.tolist() == together.transcript.tolist()


def test_training_and_validation_share_no_barcode_whatever_their_seeds(draw: Draw) -> None:
    """Equal random numbers would show as equal barcodes: 16 random bases repeat by chance in 1 of 10^3 such tests."""

    def barcodes(seed: int, stream: str) -> set[bytes]:
        reads = draw(1000, seed=seed, stream=stream, invalid_fraction=0, mismatch_rate=0, insertion_rate=0,
                     deletion_rate=0, rc=False)  # fmt: skip
        code = reads.label_names.index("CBC")
        return {
            reads.tokens_of(read)[start:end].tobytes()
            for read in range(len(reads))
            for label, start, end in reads.segments.of(read)
            if label == code
        }

    training = [barcodes(seed, "training") for seed in (0, 1, 2**31 - 1)]
    validation = [barcodes(seed, "validation") for seed in (0, 1, 2**31 - 1)]
    assert not any(ours & theirs for ours in training for theirs in validation)


def test_batches_never_part_a_pair(library_3p: Library) -> None:
    for batch in simulate(library_3p, SimulationParameters(), 1, "training", 1300):
        assert batch.strand[0] == 0
        assert len(batch) % 2 == 0


def test_the_file_says_how_to_make_it_again(tmp_path: Path, library_3p: Library) -> None:
    path = tmp_path / "reads.parquet"
    write(path, library_3p)
    provenance = json.loads(pq.read_schema(path).metadata[b"readlabel"])["provenance"]
    assert provenance["seed"] == 7
    assert provenance["stream"] == "training"
    assert provenance["parameters"] == SimulationParameters().model_dump(mode="json")
    assert provenance["transcriptome"] is None


def test_the_pickles_hold_the_same_reads(tmp_path: Path, library_3p: Library) -> None:
    write(tmp_path / "reads.parquet", library_3p, pickles=tmp_path / "pair")
    reads = read_reads(tmp_path / "reads.parquet")
    sequences = pickle.loads((tmp_path / "pair" / "reads.pkl").read_bytes())
    labels = pickle.loads((tmp_path / "pair" / "labels.pkl").read_bytes())
    assert sequences == [reads.sequence_of(read) for read in range(len(reads))]
    assert labels[5] == [reads.label_names[code] for code in reads.labels_of(5)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed -1: it runs from 0"),
        ({"seed": 2**31}, "seed 2147483648"),
        ({"num_reads": 0}, "num_reads 0: it runs from 1"),
        ({"workers": 0}, "workers 0"),
    ],
)
def test_what_is_out_of_range_is_refused_and_nothing_is_written(
    tmp_path: Path, library_3p: Library, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write(tmp_path / "reads.parquet", library_3p, **arguments)
    assert not list(tmp_path.iterdir())
