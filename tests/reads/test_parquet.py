from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from readlabel.messages import InputError, Library, OutputError
from readlabel.reads import parquet
from readlabel.reads.labelled import LabelledReads
from readlabel.reads.parquet import iter_reads, read_library, read_reads, write_reads

Make = Callable[..., LabelledReads]
Same = Callable[[LabelledReads, LabelledReads], None]


@pytest.fixture
def written(tmp_path: Path, make_reads: Make, library_3p: Library) -> Path:
    path = tmp_path / "reads.parquet"
    write_reads(path, [make_reads(100)], library_3p)
    return path


def rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Replace a file by one that another program might have written."""
    pq.write_table(change(pq.read_table(path)), path)


def replaced(table: pa.Table, name: str, values: list[object]) -> pa.Table:
    position = table.schema.get_field_index(name)
    return table.set_column(
        position, table.schema.field(name).with_nullable(True), pa.array(values, table.schema.field(name).type)
    )


def test_reads_come_back_as_they_were_written(written: Path, make_reads: Make, assert_same_reads: Same) -> None:
    assert_same_reads(read_reads(written), make_reads(100))


def test_the_library_is_read_without_the_reads(written: Path, library_3p: Library) -> None:
    assert read_library(written) == library_3p


def test_equal_reads_give_equal_bytes_however_they_were_batched(
    tmp_path: Path, written: Path, make_reads: Make, library_3p: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "GROUP_BASES", 1000)
    reads = make_reads(100)
    contents = set()
    for step in (1, 7, 100):
        path = tmp_path / f"{step}.parquet"
        write_reads(path, (reads.slice(i, min(i + step, 100)) for i in range(0, 100, step)), library_3p)
        contents.add(path.read_bytes())
    assert len(contents) == 1


def test_a_file_is_read_in_groups_of_bounded_size(
    tmp_path: Path, make_reads: Make, library_3p: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "GROUP_BASES", 1000)
    monkeypatch.setattr(parquet, "GROUP_READS", 15)
    path = tmp_path / "reads.parquet"
    reads = make_reads(100)
    write_reads(path, [reads], library_3p)
    groups = list(iter_reads(path))
    assert sum(len(group) for group in groups) == 100
    assert all(group.offsets[-2] < 1000 and len(group) <= 15 for group in groups)
    assert any(len(group) == 15 for group in groups)
    assert any(group.num_bases >= 1000 for group in groups)


def test_a_file_cut_short_is_refused(written: Path) -> None:
    whole = written.read_bytes()
    for kept in (0, 3, len(whole) // 2, len(whole) - 1):
        written.write_bytes(whole[:kept])
        with pytest.raises(InputError, match="cut short"):
            read_reads(written)


def test_a_file_damaged_inside_is_refused(written: Path) -> None:
    whole = bytearray(written.read_bytes())
    middle = len(whole) // 3
    whole[middle : middle + 200] = bytes(200)
    written.write_bytes(whole)
    with pytest.raises(InputError, match=r"reads\.parquet"):
        read_reads(written)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "reads.txt"
    path.write_text("@read\nACGT\n+\nIIII\n")
    with pytest.raises(InputError, match="not a whole Parquet file"):
        read_reads(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.parquet: there is no such file"):
        read_reads(tmp_path / "none.parquet")


def test_a_parquet_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"sequence": ["ACGT"]}), path)
    with pytest.raises(InputError, match="not one of readlabel's"):
        read_reads(path)


@pytest.mark.parametrize("new_field", [b"", b',"new":0'], ids=["header as today's", "header with a new field"])
def test_a_later_schema_version_is_refused_by_number(written: Path, new_field: bytes) -> None:
    def change(table: pa.Table) -> pa.Table:
        header = table.schema.metadata[b"readlabel"]
        later = header.replace(b'"schema_version":1', b'"schema_version":2' + new_field)
        return table.replace_schema_metadata({b"readlabel": later})

    rewrite(written, change)
    with pytest.raises(InputError, match=r"schema version 2 of readlabel\.reads; this readlabel reads 1"):
        read_reads(written)


def test_a_file_without_its_library_is_refused(written: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        header = json.loads(table.schema.metadata[b"readlabel"])
        return table.replace_schema_metadata({b"readlabel": json.dumps(header | {"library": None})})

    rewrite(written, change)
    with pytest.raises(InputError, match="lack the library"):
        read_library(written)


def test_a_file_without_reads_is_refused(written: Path) -> None:
    rewrite(written, lambda table: table.slice(0, 0))
    with pytest.raises(InputError, match=r"reads\.parquet: holds no reads"):
        read_reads(written)


def test_segments_that_contradict_the_labels_are_refused(written: Path) -> None:
    """They tile the read, so nothing but the labels shows that a score by segments would be one of other reads."""

    def change(table: pa.Table) -> pa.Table:
        values = table.column("segments").to_pylist()
        values[5][0]["label"] = (values[5][0]["label"] + 1) % 6
        return replaced(table, "segments", values)

    rewrite(written, change)
    with pytest.raises(InputError, match="read read-0-5: its segments and its labels contradict each other"):
        read_reads(written)


def test_one_changed_bit_of_a_sequence_is_told(written: Path) -> None:
    """Most changes of compressed bases give other bases, which nothing else in the file contradicts."""
    column = pq.read_metadata(written).row_group(0).column(1)
    assert column.path_in_schema == "sequence"
    last = column.data_page_offset + column.total_compressed_size - 1
    whole = written.read_bytes()
    for place in range(last - 40, last):
        written.write_bytes(whole[:place] + bytes([whole[place] ^ 2]) + whole[place + 1 :])
        with pytest.raises(InputError, match="cut short or damaged"):
            read_reads(written)


def test_a_missing_column_is_named(written: Path) -> None:
    rewrite(written, lambda table: table.drop_columns(["pair"]))
    with pytest.raises(InputError, match="lacks the column pair"):
        read_reads(written)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("sequence", "", "read read-0-5: it is empty"),
        ("sequence", "ACGT", "numbers of labels and of bases differ"),
        ("labels", b"", "read read-0-5: its numbers of labels"),
        ("kind", "odd", "column kind holds 'odd'"),
        ("segments", [], "segments"),
        ("segments", [{"label": 0, "start": 0, "end": 3}], "segments"),
        ("pair", None, "lacks a value"),
    ],
)
def test_a_read_that_contradicts_itself_is_refused(written: Path, column: str, value: object, message: str) -> None:
    def change(table: pa.Table) -> pa.Table:
        values = table.column(column).to_pylist()
        values[5] = value
        return replaced(table, column, values)

    rewrite(written, change)
    with pytest.raises(InputError, match=message):
        read_reads(written)


def test_a_foreign_letter_names_read_and_position(written: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        values = table.column("sequence").to_pylist()
        values[5] = values[5][:2] + "-" + values[5][3:]
        return replaced(table, "sequence", values)

    rewrite(written, change)
    with pytest.raises(InputError, match="read read-0-5: position 3 is no nucleotide letter"):
        read_reads(written)


def test_a_label_index_beyond_the_labels_is_refused(written: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        values = table.column("labels").to_pylist()
        values[5] = bytes([6]) + values[5][1:]
        return replaced(table, "labels", values)

    rewrite(written, change)
    with pytest.raises(InputError, match="read read-0-5: a label index is beyond"):
        read_reads(written)


def test_a_writer_that_numbers_the_kinds_otherwise_is_understood(written: Path, make_reads: Make) -> None:
    def change(table: pa.Table) -> pa.Table:
        words = pa.array(table.column("kind").to_pylist()[::-1]).dictionary_encode()
        column = words.cast(table.schema.field("kind").type).take(pa.array(range(99, -1, -1)))
        return table.set_column(table.schema.get_field_index("kind"), table.schema.field("kind"), column)

    rewrite(written, change)
    np.testing.assert_array_equal(read_reads(written).kind, make_reads(100).kind)


def test_when_reading_the_batches_fails_an_earlier_file_stays(
    written: Path, make_reads: Make, library_3p: Library
) -> None:
    before = written.read_bytes()

    def failing() -> object:
        yield make_reads(3)
        raise InputError("the source broke off")

    with pytest.raises(InputError, match="broke off"):
        write_reads(written, failing(), library_3p)  # type: ignore[arg-type]
    assert written.read_bytes() == before
    assert [path.name for path in written.parent.iterdir()] == [written.name]


def test_no_reads_at_all_are_no_file(tmp_path: Path, library_3p: Library) -> None:
    with pytest.raises(InputError, match="no reads to write"):
        write_reads(tmp_path / "reads.parquet", [], library_3p)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_an_output_error(
    tmp_path: Path, make_reads: Make, library_3p: Library
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_reads(tmp_path / "file" / "reads.parquet", [make_reads(3)], library_3p)
