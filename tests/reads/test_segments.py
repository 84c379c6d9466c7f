"""The table of segments: the same rows as TSV and as Parquet, with coordinates that cut the read."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from readlabel.messages import InputError, Library
from readlabel.reads.labelled import LabelledReads
from readlabel.reads.segments import Verdicts, open_segments

COMPLEMENTS = str.maketrans("ACGTN", "TGCAN")


def verdicts_of(reads: LabelledReads) -> Verdicts:
    """Every second read is one molecule on the other strand."""
    turned = np.repeat(np.arange(len(reads)), np.diff(reads.segments.offsets)) % 2 == 0
    valid = np.arange(len(reads)) % 2 == 0
    return Verdicts(
        valid=valid,
        reason=tuple("valid" if whole else 'odd, "quoted"' for whole in valid),
        molecule=turned.astype(np.int32),
        strand=np.where(turned, 1, 2).astype(np.uint8),
    )


def write(path: Path, library: Library, *batches: LabelledReads) -> Path:
    with open_segments(path, library) as add:
        for batch in batches:
            add(batch, verdicts_of(batch))
    return path


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.fixture
def batches(make_reads: Callable[..., LabelledReads]) -> list[LabelledReads]:
    return [make_reads(30), make_reads(7, seed=1)]


def test_start_and_end_cut_the_read_and_minus_rows_are_turned(
    tmp_path: Path, library_3p: Library, batches: list[LabelledReads]
) -> None:
    rows = iter(rows_of(write(tmp_path / "s.tsv", library_3p, *batches).read_text()))
    for reads in batches:
        for read in range(len(reads)):
            sequence = reads.sequence_of(read)
            for label, start, end in reads.segments.of(read):
                row = next(rows)
                assert (row["read_id"], int(row["read_length"])) == (reads.read_ids[read], len(sequence))
                assert (row["label"], int(row["start"]), int(row["end"])) == (library_3p.labels[label], start, end)
                cut = sequence[start:end]
                assert row["sequence"] == (cut if read % 2 else cut[::-1].translate(COMPLEMENTS))
                wanted = ("false", 'odd, "quoted"', "0", ".") if read % 2 else ("true", "valid", "1", "-")
                assert (row["valid"], row["reason"], row["molecule"], row["strand"]) == wanted
    assert next(rows, None) is None


def test_tsv_gzip_and_parquet_hold_the_same_rows(
    tmp_path: Path, library_3p: Library, batches: list[LabelledReads]
) -> None:
    plain = rows_of(write(tmp_path / "s.tsv", library_3p, *batches).read_text())
    packed = write(tmp_path / "s.tsv.gz", library_3p, *batches)
    assert rows_of(gzip.decompress(packed.read_bytes()).decode()) == plain
    table = pq.read_table(write(tmp_path / "s.parquet", library_3p, *batches))
    assert [
        {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in row.items()}
        for row in table.to_pylist()
    ] == plain
    header = json.loads(table.schema.metadata[b"readlabel"])
    assert (header["format"], header["schema_version"]) == ("readlabel.segments", 1)
    assert Library.model_validate(header["library"]) == library_3p


@pytest.mark.parametrize("name", ["s.tsv", "s.tsv.gz", "s.parquet"])
def test_equal_rows_are_equal_bytes_and_a_failure_leaves_the_earlier_file(
    tmp_path: Path, library_3p: Library, batches: list[LabelledReads], name: str
) -> None:
    path = write(tmp_path / name, library_3p, *batches)
    before = path.read_bytes()
    assert write(tmp_path / name, library_3p, *batches).read_bytes() == before
    with pytest.raises(KeyboardInterrupt), open_segments(path, library_3p) as add:
        add(batches[1], verdicts_of(batches[1]))
        raise KeyboardInterrupt
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_says_no_format_is_refused(tmp_path: Path, library_3p: Library) -> None:
    with (
        pytest.raises(InputError, match=r"s\.csv: the name of a table of segments ends in \.tsv, \.tsv\.gz, \.parquet"),
        open_segments(tmp_path / "s.csv", library_3p),
    ):
        pass
