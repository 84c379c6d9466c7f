"""Files as a sequencer's software leaves them: batches that stay small, and faults told by file and line."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from readlabel.messages import InputError
from readlabel.reads import sequenced
from readlabel.reads.sequenced import Extent, check_beginnings, measure, sequenced_batches

FASTQ = b"@r1 ch=3\nACGT\n+\nIIII\n@empty\n\n+\n\n@r2\nggu\n+r2\n!~I\n"


def reads_of(*paths: Path) -> list[tuple[str, str]]:
    batches = sequenced_batches(paths, ("5p", "cDNA"))
    return [(str(batch.read_ids[read]), batch.sequence_of(read)) for batch in batches for read in range(len(batch))]


@pytest.fixture
def fastq(tmp_path: Path) -> Path:
    path = tmp_path / "reads.fastq"
    path.write_bytes(FASTQ)
    return path


def test_reads_of_several_files_come_in_order_whatever_their_format(tmp_path: Path, fastq: Path) -> None:
    fasta = tmp_path / "more.txt"
    fasta.write_bytes(gzip.compress(b"\n>r3 x\nAC\nGT\n\n>r3\n>r4\nRN"))
    assert reads_of(fastq, fasta) == [("r1", "ACGT"), ("r2", "GGT"), ("r3", "ACGT"), ("r4", "NN")]
    assert measure([fastq, fasta]) == Extent(reads=4, bases=13, empty=2)


def test_several_gzip_members_in_a_row_are_one_file(tmp_path: Path) -> None:
    path = tmp_path / "joined.fastq.gz"
    path.write_bytes(gzip.compress(FASTQ) + gzip.compress(b"@r5\nA\n+\nI\n"))
    assert [name for name, _ in reads_of(path)] == ["r1", "r2", "r5"]


def test_a_batch_is_bounded_by_bases_and_by_reads(fastq: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fastq.write_bytes(b"".join(b"@r%d\n%s\n+\n%s\n" % (n, b"A" * 9, b"I" * 9) for n in range(20)))
    monkeypatch.setattr(sequenced, "BATCH_BASES", 25)
    assert [len(batch) for batch in sequenced_batches([fastq], ("a",))] == [3] * 6 + [2]
    monkeypatch.setattr(sequenced, "BATCH_READS", 2)
    assert [len(batch) for batch in sequenced_batches([fastq], ("a",))] == [2] * 10


def test_standard_input_is_read_once_and_cannot_be_measured(fastq: Path) -> None:
    script = (
        "from pathlib import Path; from readlabel.reads.sequenced import *;"
        "paths = [Path('-')]; check_beginnings(paths); print(measure(paths));"
        "print([len(batch) for batch in sequenced_batches(paths, ('a',))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=gzip.compress(FASTQ), capture_output=True, check=True, timeout=60
    )
    assert done.stdout.split() == [b"None", b"[2]"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no reads"),
        (b"\n\n", "holds no reads"),
        (b"read\tACGT\n", "line 1: FASTQ begins with a line '@name', FASTA with '>name'"),
        (gzip.compress(b"BAM\1\0\0"), "is BAM; pipe it in: samtools fastq"),
        (b"PAR1\0\0", "is Parquet"),
        (b"@r1\nAC-T\n+\nIIII\n", r"read r1 \(.*line 2\): '-' at position 3"),
        (b">\nACGT\n", "line 1: the header has no name"),
        (b">r1\nAC\nA-\n", "line 3, column 2: '-' is no nucleotide letter"),
    ],
)
def test_what_is_no_file_of_reads_is_refused_at_its_beginning(fastq: Path, content: bytes, message: str) -> None:
    fastq.write_bytes(content)
    with pytest.raises(InputError, match=message):
        check_beginnings([fastq])


def test_a_fault_at_the_end_is_found_by_measuring(fastq: Path) -> None:
    packed = gzip.compress(FASTQ * 5000)
    fastq.write_bytes(packed[:-30])
    check_beginnings([fastq])
    with pytest.raises(InputError, match=r"reads\.fastq, after line \d+: the gzip file is cut short"):
        measure([fastq])


def test_reads_without_any_base_are_refused(fastq: Path) -> None:
    fastq.write_bytes(b"@r1\n\n+\n\n")
    with pytest.raises(InputError, match=r"reads\.fastq: no read has a base"):
        list(sequenced_batches([fastq], ("a",)))
