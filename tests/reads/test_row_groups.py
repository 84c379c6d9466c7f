"""Row groups encoded apart make one Parquet file that its readers take for one written whole."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from readlabel.reads._thrift import read_struct, write_struct
from readlabel.reads.row_groups import open_row_groups

ROWS = (3, 1, 5000, 70)


def table(rows: int, first: int) -> pa.Table:
    numbers = list(range(first, first + rows))
    columns = {
        "number": pa.array(numbers, pa.int64()),
        "word": pa.array([("a", "b", None)[n % 3] for n in numbers]).dictionary_encode(),
        "text": pa.array([str(n) * (n % 7) for n in numbers]),
        "list": pa.array([[{"x": n, "y": -n}] * (n % 4) for n in numbers]),
        "yes": pa.array([n % 2 == 0 for n in numbers]),
    }
    return pa.table(columns).replace_schema_metadata({b"key": b"value"})


@pytest.fixture
def tables() -> list[pa.Table]:
    return [table(rows, sum(ROWS[:index])) for index, rows in enumerate(ROWS)]


def part(content: pa.Table) -> bytes:
    out = pa.BufferOutputStream()
    pq.write_table(content, out, compression="zstd")
    return bytes(out.getvalue().to_pybytes())


def joined(path: Path, parts: list[bytes]) -> Path:
    with open_row_groups(path) as writer:
        for each in parts:
            writer.append(each)
    return path


def test_parts_are_read_as_one_file(tmp_path: Path, tables: list[pa.Table]) -> None:
    path = joined(tmp_path / "x.parquet", [part(each) for each in tables])
    assert pq.read_table(path).to_pylist() == pa.concat_tables(tables).to_pylist()
    with pq.ParquetFile(path) as file:
        assert file.num_row_groups == len(ROWS)
        assert file.schema_arrow.metadata[b"key"] == b"value"
        for index in (2, 0, 3):
            assert file.read_row_group(index).to_pylist() == tables[index].to_pylist()


def test_the_file_is_the_one_that_a_single_writer_would_have_made(tmp_path: Path, tables: list[pa.Table]) -> None:
    whole = tmp_path / "whole.parquet"
    with pq.ParquetWriter(whole, tables[0].schema, compression="zstd") as writer:
        for each in tables:
            writer.write_table(each, row_group_size=len(each))
    assert joined(tmp_path / "x.parquet", [part(each) for each in tables]).read_bytes() == whole.read_bytes()


def test_several_row_groups_in_a_part_stay_several(tmp_path: Path, tables: list[pa.Table]) -> None:
    once = joined(tmp_path / "once.parquet", [part(each) for each in tables])
    again = joined(tmp_path / "again.parquet", [once.read_bytes(), part(tables[0])])
    assert [pq.read_metadata(again).row_group(index).num_rows for index in range(5)] == [*ROWS, ROWS[0]]
    assert pq.read_table(again, columns=["text"]).num_rows == sum(ROWS) + ROWS[0]


def test_a_footer_is_written_back_as_it_was_read(tables: list[pa.Table]) -> None:
    for each in tables:
        written = part(each)
        footer = written[-8 - int.from_bytes(written[-8:-4], "little") : -8]
        assert write_struct(read_struct(footer)) == footer


def test_a_part_whose_positions_would_not_all_be_moved_is_refused(tmp_path: Path, tables: list[pa.Table]) -> None:
    out = pa.BufferOutputStream()
    pq.write_table(tables[0], out, write_page_index=True)
    with pytest.raises(ValueError, match="page indexes"):
        joined(tmp_path / "x.parquet", [bytes(out.getvalue().to_pybytes())])
    assert not list(tmp_path.iterdir())


def test_what_breaks_off_leaves_no_file(tmp_path: Path, tables: list[pa.Table]) -> None:
    with pytest.raises(KeyboardInterrupt), open_row_groups(tmp_path / "x.parquet") as writer:
        writer.append(part(tables[0]))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
