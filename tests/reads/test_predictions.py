from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from readlabel.messages import InputError, Library
from readlabel.reads.labelled import LabelledReads
from readlabel.reads.parquet import write_reads
from readlabel.reads.predictions import Predictions, read_predictions, write_predictions

Make = Callable[..., LabelledReads]


@pytest.fixture
def predictions(make_reads: Make) -> Predictions:
    reads = make_reads(50)
    other = (reads.labels + 1) % len(reads.label_names)
    return Predictions(reads.read_ids, reads.offsets, reads.labels, other.astype(np.uint8))


def test_predictions_come_back_as_they_were_written(
    tmp_path: Path, predictions: Predictions, library_3p: Library
) -> None:
    path = tmp_path / "predictions.parquet"
    write_predictions(path, predictions, library_3p.labels)
    found, labels = read_predictions(path)
    assert labels == library_3p.labels
    assert found.read_ids.tolist() == predictions.read_ids.tolist()
    np.testing.assert_array_equal(found.offsets, predictions.offsets)
    np.testing.assert_array_equal(found.labels, predictions.labels)
    np.testing.assert_array_equal(found.tranquillyzer_labels, predictions.tranquillyzer_labels)


def test_equal_predictions_give_equal_bytes(tmp_path: Path, predictions: Predictions, library_3p: Library) -> None:
    for name in ("a", "b"):
        write_predictions(tmp_path / name, predictions, library_3p.labels)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_of_reads_is_not_taken_for_predictions(tmp_path: Path, make_reads: Make, library_3p: Library) -> None:
    path = tmp_path / "reads.parquet"
    write_reads(path, [make_reads(3)], library_3p)
    with pytest.raises(InputError, match=r"holds readlabel\.reads, and readlabel\.predictions is wanted"):
        read_predictions(path)


def test_segments_that_do_not_cover_their_reads_are_refused(
    tmp_path: Path, predictions: Predictions, library_3p: Library
) -> None:
    path = tmp_path / "predictions.parquet"
    write_predictions(path, predictions, library_3p.labels)
    table = pq.read_table(path)
    pq.write_table(table.set_column(2, table.schema.field(2), table.column(2).take(list(range(49, -1, -1)))), path)
    with pytest.raises(InputError, match="do not tile"):
        read_predictions(path)
