from __future__ import annotations

import gzip
import json
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from readlabel.artifacts.digest import file_ref
from readlabel.messages import InputError, Library
from readlabel.reads.labelled import LabelledReads, concatenate
from readlabel.reads.parquet import read_reads
from readlabel.reads.sequences import Sequences
from readlabel.reads.tokens import tokenize
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


def test_any_number_of_processes_gives_the_same_files(tmp_path: Path, library_3p: Library) -> None:
    # 40,000 molecules are ten groups, of which the last is cut: enough for three processes.
    names = ("reads.parquet", "reads.pkl", "labels.pkl")
    contents = set()
    for workers in (1, 2, 3):
        folder = tmp_path / str(workers)
        molecules: list[int] = []
        write(folder / "reads.parquet", library_3p, num_reads=40_000, workers=workers, pickles=folder,
              progress=molecules.append)  # fmt: skip
        assert sum(molecules) == 40_000
        contents.add(tuple(sha256((folder / name).read_bytes()).digest() for name in names))
    assert len(contents) == 1


def test_a_transcriptome_on_disk_gives_the_reads_of_one_in_memory(tmp_path: Path, library_3p: Library) -> None:
    """In any number of processes, which share the file of its bases, and from a pipe, which can be read only once."""
    rng = np.random.default_rng(3)
    sequences = {f"tx{i}": "".join(rng.choice(list("ACGTN"), length)) for i, length in enumerate((90, 400, 3000))}
    fasta, pipe = tmp_path / "transcripts.fa.gz", tmp_path / "pipe"
    fasta.write_bytes(gzip.compress("".join(f">{name} x\n{text}\n" for name, text in sequences.items()).encode()))
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(pipe.write_bytes, fasta.read_bytes())
        contents = {write(tmp_path / "piped", library_3p, num_reads=20_000, transcriptome=pipe)}
        sent.result()
    for workers in (1, 3):
        path = tmp_path / str(workers)
        contents.add(write(path, library_3p, num_reads=20_000, transcriptome=fasta, workers=workers))
    assert len(contents) == 1
    tokens = [tokenize(text, name) for name, text in sequences.items()]
    held = Sequences(tuple(sequences), np.cumsum([0, *map(len, tokens)]), np.concatenate(tokens))
    drawn = concatenate(list(simulate(library_3p, SimulationParameters(), 7, "training", 20_000, held)))
    found = read_reads(tmp_path / "1")
    np.testing.assert_array_equal(found.tokens, drawn.tokens)
    np.testing.assert_array_equal(found.labels, drawn.labels)
    assert found.transcript.tolist() == drawn.transcript.tolist()
    provenance = json.loads(pq.read_schema(tmp_path / "1").metadata[b"readlabel"])["provenance"]
    assert provenance["transcriptome"] == file_ref(fasta).model_dump(mode="json")


def test_blocks_and_groups_of_any_size_are_written_as_they_are_drawn(tmp_path: Path, library_3p: Library) -> None:
    """The groups that processes encode, and the row groups inside them, leave no trace in the reads."""
    write(tmp_path / "reads.parquet", library_3p, num_reads=9000)
    drawn = concatenate(list(simulate(library_3p, SimulationParameters(), 7, "training", 9000)))
    found = read_reads(tmp_path / "reads.parquet")
    for field in ("offsets", "tokens", "labels", "pair", "kind", "strand"):
        np.testing.assert_array_equal(getattr(found, field), getattr(drawn, field), err_msg=field)
    for field in ("offsets", "label", "start", "end"):
        np.testing.assert_array_equal(getattr(found.segments, field), getattr(drawn.segments, field), err_msg=field)
    assert found.read_ids.tolist() == drawn.read_ids.tolist()
    assert found.transcript.tolist() == drawn.transcript.tolist()


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
