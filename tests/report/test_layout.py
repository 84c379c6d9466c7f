"""A read breaks into lines whose rows of text stand exactly under its bases."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from readlabel.report.layout import BASES_PER_LINE, COLUMNS, lines_of, runs_of

NAMES = ("3p", "5p", "cDNA", "a_rather_long_name")


def test_runs_tile_the_labels() -> None:
    runs = runs_of(np.array([2, 2, 2, 0, 1, 1], np.uint8))
    assert [(run.label, run.start, run.end) for run in runs] == [(2, 0, 3), (0, 3, 4), (1, 4, 6)]


def test_the_lines_give_back_the_read() -> None:
    bases = "ACGT" * 100
    labels = np.repeat(np.array([0, 1, 2], np.uint8), [100, 200, 100])
    lines = list(lines_of(bases, NAMES, labels, labels))
    assert [len(line.bases) for line in lines] == [150, 150, 100]
    assert "".join(line.bases for line in lines) == bases
    assert [line.start for line in lines] == [0, 150, 300]
    assert not any(line.wrong.any() for line in lines)


def test_ruler_numbers_end_above_the_bases_they_count() -> None:
    read = "A" * 400
    line = list(lines_of(read, NAMES, np.zeros(400, np.uint8), None))[1]
    assert line.ruler.startswith("151")
    for base in (160, 200, 300):
        end = line.ruler.index(str(base)) + len(str(base))
        # Three columns to two bases: the cell of the line's k-th base ends at column 1.5 k.
        assert end == (base - 150) * 3 // 2


def test_wrong_bases_are_flagged_only_where_the_truth_is_known() -> None:
    predicted, truth = np.array([0, 0, 1, 1], np.uint8), np.array([0, 1, 1, 1], np.uint8)
    (known,) = lines_of("ACGT", NAMES, predicted, truth)
    assert known.wrong.tolist() == [False, True, False, False]
    (unknown,) = lines_of("ACGT", NAMES, predicted, None)
    assert unknown.truth is None
    assert not unknown.wrong.any()


@given(st.lists(st.integers(0, len(NAMES) - 1), min_size=1, max_size=BASES_PER_LINE))
def test_names_never_touch_and_stay_within_the_line(labels: list[int]) -> None:
    (line,) = lines_of("A" * len(labels), NAMES, np.array(labels, np.uint8), None)
    for row in line.predicted.names:
        assert len(row) <= COLUMNS
        assert set(row.split()) <= set(NAMES)


def test_a_name_stands_under_the_middle_of_its_run() -> None:
    labels = np.repeat(np.array([0, 2], np.uint8), [20, 100])
    (line,) = lines_of("A" * 120, NAMES, labels, None)
    (row,) = line.predicted.names
    assert abs(row.index("cDNA") + 2 - (20 + 50) * 1.5) <= 1
