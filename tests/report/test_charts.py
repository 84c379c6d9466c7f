"""The geometry of charts: ticks are round and enclose the values, gaps stay gaps."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from readlabel.messages import InputError
from readlabel.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, line_chart, strip_chart
from readlabel.report.history import read_history


@example([1.0, 1.0 + 1e-14])
@given(st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=30))
def test_every_value_lies_between_the_outer_ticks(values: list[float]) -> None:
    chart = line_chart("Loss", "epoch", [("training", values)], percent=False)
    assert chart is not None
    heights = [tick.at for tick in chart.y_ticks]
    assert max(heights) == pytest.approx(HEIGHT - BOTTOM)
    assert min(heights) == pytest.approx(TOP)
    for point in chart.series[0].points:
        assert TOP - 0.1 <= point.y <= HEIGHT - BOTTOM + 0.1
        assert LEFT <= point.x <= WIDTH - RIGHT


@example([0.0, 1e-308])
@example([1.0])
@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_shares_have_no_tick_above_100_percent(values: list[float]) -> None:
    chart = line_chart("Accuracy", "epoch", [("training", values)], percent=True)
    assert chart is not None
    assert {0 <= float(tick.label.removesuffix("%")) <= 100 for tick in chart.y_ticks} == {True}


def test_tick_labels_are_as_short_as_they_can_be_and_all_different() -> None:
    chart = line_chart("Accuracy", "epoch", [("training", [0.9612, 0.9651])], percent=True)
    assert chart is not None
    assert [tick.label for tick in chart.y_ticks] == ["96.1%", "96.2%", "96.3%", "96.4%", "96.5%", "96.6%"]


def test_a_rate_that_never_changes_has_ticks_that_tell_it() -> None:
    chart = line_chart("Learning rate", "epoch", [("learning rate", [1e-5] * 3)], percent=False)
    assert chart is not None
    labels = [tick.label for tick in chart.y_ticks]
    assert "0.000010" in labels
    assert len(set(labels)) == len(labels)


def test_a_line_without_values_is_left_out_and_so_is_a_chart_without_lines() -> None:
    chart = line_chart("Loss", "epoch", [("training", [1.0, None, 3.0]), ("other", [None] * 3)], 3, percent=False)
    assert chart is not None
    assert [series.name for series in chart.series] == ["training"]
    assert len(chart.series[0].points) == 2
    assert chart.marker is not None
    assert chart.marker.at == chart.series[0].points[1].x
    assert line_chart("Loss", "epoch", [("training", [])], percent=False) is None


def test_groups_stand_side_by_side_with_their_mean() -> None:
    chart = strip_chart(
        "crf_layer", [("FALSE", [("a", 0.9, False), ("b", 0.92, False)]), ("TRUE", [("c", 0.95, True)])]
    )
    means, marks = chart.series
    assert [tick.label for tick in chart.x_ticks] == ["FALSE", "TRUE"]
    assert means.points[0].y == pytest.approx((marks.points[0].y + marks.points[1].y) / 2, abs=0.1)
    assert [mark.best for mark in marks.points] == [False, False, True]


def test_long_values_under_an_axis_stand_in_two_rows() -> None:
    rates = [f"0.000{number}" for number in range(1, 7)]
    assert strip_chart("learning_rate", [(rate, [("a", 0.9, False)]) for rate in rates]).crowded
    assert not strip_chart("crf_layer", [(value, [("a", 0.9, False)]) for value in ("FALSE", "TRUE")]).crowded


def test_a_history_keeps_gaps_and_reads_no_infinity(tmp_path: Path) -> None:
    path = tmp_path / "history.tsv"
    path.write_text(
        "loss\taccuracy\tval_loss\tval_accuracy\tlr\textra\n1.5\t0.5\t\t\t0.001\tx\ninf\t0.6\tnan\t0.5\t0.001\ty\n"
    )
    history = read_history(path)
    assert history.loss == (1.5, None)
    assert history.accuracy == (0.5, 0.6)
    assert history.internal_validation_loss == (None, None)
    assert history.internal_validation_accuracy == (None, 0.5)
    path.write_text("loss\nmuch\n")
    with pytest.raises(InputError, match="is no training history"):
        read_history(path)
