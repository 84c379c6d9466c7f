from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from readlabel.artifacts.digest import RunningDigest
from readlabel.messages import InputError
from readlabel.reads.fasta import store_fasta
from readlabel.reads.sequenced import iter_sequenced
from readlabel.reads.tokens import letters_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "transcripts.fa"


def read_fasta(path: Path) -> tuple[tuple[str, ...], list[str]]:
    """Names and letters of all sequences."""
    with store_fasta(path, path.parent, RunningDigest()) as found:
        length = np.diff(found.offsets)
        letters = [letters_of(found.read(found.offsets[i : i + 1], length[i : i + 1])) for i in range(len(length))]
    return found.names, [each.decode() for each in letters]


def test_names_and_wrapped_sequences_are_read(path: Path) -> None:
    path.write_bytes(b">tx1 first one\r\nACGT\r\nacgu\r\n\r\n>tx2|gene\nNNRY")
    assert read_fasta(path) == (("tx1", "tx2|gene"), ["ACGTACGT", "NNNN"])


def test_gzip_is_told_by_its_content_and_not_by_a_name(path: Path) -> None:
    path.write_bytes(gzip.compress(b">tx1\nACGT\n"))
    assert read_fasta(path) == (("tx1",), ["ACGT"])


def test_every_problem_is_named_by_line(path: Path) -> None:
    path.write_text(">a\nAC-T\n>b\n>a\nACGT\n> \nA\n>c\n")
    with pytest.raises(InputError) as caught:
        read_fasta(path)
    found = [(problem.where.removeprefix(f"{path}, "), problem.message) for problem in caught.value.problems]
    assert [where for where, _ in found] == ["line 2, column 3", "line 3", "line 4", "line 6", "line 8"]
    assert "'-' is no nucleotide letter" in found[0][1]
    assert "sequence b has no bases" in found[1][1]
    assert "already that of line 1" in found[2][1]
    assert "no name" in found[3][1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"ACGT\n", "line 1: FASTA begins with"),
        (b"", "holds no sequence"),
        (b"@read\nACGT\n+\nIIII\n", "line 1: FASTA begins with"),
        (b"\x1f\x8b\x08\x00", "cut short or damaged"),
        (b">tx1\rACGT\r", r"lines end in CR alone; convert it: tr '\\r' '\\n'"),
        (gzip.compress(b">tx1\rACGT\r"), "lines end in CR alone"),
        (">tx1\nACGT\n".encode("utf-16"), "is UTF-16 text; save it as plain text"),
    ],
)
def test_what_is_no_fasta_is_refused(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_fasta(path)


def test_a_mark_that_says_utf_8_is_no_part_of_the_first_line(path: Path) -> None:
    path.write_text(">tx1\nACGT\n", encoding="utf-8-sig")
    assert read_fasta(path) == (("tx1",), ["ACGT"])


def test_long_transcripts_come_back_as_they_were(path: Path) -> None:
    """They are written in parts of a million bases."""
    rng = np.random.default_rng(1)
    sequences = ["".join(rng.choice(list("ACGTN"), length)) for length in (700_000, 1_500_000, 1)]
    path.write_text("".join(f">{i}\n{sequence}\n" for i, sequence in enumerate(sequences)))
    assert read_fasta(path) == (("0", "1", "2"), sequences)
    assert list(path.parent.iterdir()) == [path]


def test_a_gzip_file_cut_short_says_where(path: Path) -> None:
    lines = b">tx1\n" + b"ACGT\n" * 50_000
    packed = gzip.compress(lines)
    path.write_bytes(packed[: len(packed) - 20])
    with pytest.raises(InputError, match=r"after line \d+: the gzip file is cut short"):
        read_fasta(path)


def test_a_missing_file_is_named(path: Path) -> None:
    with pytest.raises(InputError, match=r"transcripts\.fa: cannot be read: No such file"):
        read_fasta(path)


def test_reads_of_fastq_have_a_name_and_a_sequence(path: Path) -> None:
    path.write_bytes(gzip.compress(b"@r1 run=3\nACGT\n+\n!I~5\n@r2\nn\n+r2\nI"))
    first, second = iter_sequenced(path)
    assert (first.name, letters_of(first.tokens)) == ("r1", b"ACGT")
    assert (second.name, letters_of(second.tokens)) == ("r2", b"N")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("@r1\nACGT\n+\nIIII\n>r2\n", "line 5: a read of FASTQ begins with"),
        ("@r1\nACGT\n+\n", "line 1: read r1 is cut short"),
        ("@r1\nACGT\nIIII\n+\n", r"line 3: the third line of a FASTQ read begins with '\+'$"),
        ("@r1\nACGT\nACGT\n+\nIIII\nIIII\n", "line 3: the third line .* broken into lines\\? Join them: seqtk seq"),
        ("@r1\nACGT\n+\nIII\n", "line 4: 3 qualities for 4 bases"),
        ("@r1\nAC*T\n+\nIIII\n", r"read r1 \(.*line 2\): '\*' at position 3"),
        ("@r1\nA\n+\n \n", "line 4: a quality is outside"),
    ],
)
def test_bad_fastq_is_refused_by_line(path: Path, content: str, message: str) -> None:
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        list(iter_sequenced(path))
