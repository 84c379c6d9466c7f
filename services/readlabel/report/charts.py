"""The geometry of the page's charts: numbers enter, points, ticks and labels leave, in the units of an SVG view box.

Nothing here is markup: the template draws what these say, so that every text is escaped in one place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 300, 180
LEFT, RIGHT, TOP, BOTTOM = 58, 10, 12, 30
_TICKS = 4
_GLYPH = 6.4
"""Width of a letter of the axes' labels, 11 units high."""
_MOST_DIGITS = 12
_SMALLEST = 1e-9
"""Values nearer to each other than this, or than the last digits of a float, are one value to an axis."""


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Point:
    """A mark, with the text that a pointer over it shows."""

    x: float
    y: float
    title: str
    best: bool = False


@dataclass(frozen=True)
class Series:
    """Marks joined by a line. `slot` picks its colour: 1, 2, …"""

    name: str
    slot: int
    points: tuple[Point, ...]

    @property
    def path(self) -> str:
        """The ``points`` of an SVG polyline."""
        return " ".join(f"{point.x:g},{point.y:g}" for point in self.points)


@dataclass(frozen=True)
class Chart:
    """A chart in a view box of `WIDTH` × `HEIGHT`.

    Attributes:
        title: what is shown; stands above the chart.
        x_label: what the horizontal axis counts.
        marker: horizontal place of a vertical line, such as the best epoch's; None draws none.
    """

    title: str
    x_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    series: tuple[Series, ...]
    marker: Tick | None = None

    @property
    def crowded(self) -> bool:
        """Whether the labels under the horizontal axis would touch in one row."""
        return sum(len(tick.label) + 1 for tick in self.x_ticks) * _GLYPH > WIDTH - LEFT - RIGHT


def line_chart(
    title: str, x_label: str, lines: Sequence[tuple[str, Sequence[float | None]]], marked: int = 0, *, percent: bool
) -> Chart | None:
    """Values at 1, 2, 3, … joined by lines.

    Args:
        title: what is shown.
        x_label: what is counted.
        lines: name and values of each line; None leaves a gap, and a line of gaps is left out.
        marked: the place to mark, 0 for none.
        percent: whether values are shares.

    Returns:
        The chart, or None when there is no value.
    """
    values = [value for _, line in lines for value in line if value is not None]
    if not values:
        return None
    count = max(len(line) for _, line in lines)
    y_ticks, low, high = _axis(values, percent=percent)
    series = []
    for slot, (name, line) in enumerate(lines, start=1):
        points = tuple(
            Point(_x(place, count), _y(value, low, high), f"{name}, {x_label} {place}: {_text(value, percent)}")
            for place, value in enumerate(line, start=1)
            if value is not None
        )
        if points:
            series.append(Series(name, slot, points))
    step = max(1, math.ceil(count / 10))
    x_ticks = tuple(Tick(_x(place, count), str(place)) for place in range(1, count + 1) if (place - 1) % step == 0)
    marker = Tick(_x(marked, count), f"best {x_label}") if 0 < marked <= count else None
    return Chart(title, x_label, x_ticks, y_ticks, tuple(series), marker)


def strip_chart(title: str, groups: Sequence[tuple[str, Sequence[tuple[str, float, bool]]]]) -> Chart:
    """Shares in groups side by side: one mark a member, and a line through the groups' means.

    Args:
        title: what the groups differ in.
        groups: name of each group and its members: name, share, and whether it is the best of all.
    """
    y_ticks, low, high = _axis([share for _, members in groups for _, share, _ in members], percent=True)
    marks, means = [], []
    for place, (group, members) in enumerate(groups, start=1):
        x = _x(place, len(groups), inset=0.5)
        for member, share, best in members:
            marks.append(Point(x, _y(share, low, high), f"{member} ({group}): {_text(share, True)}", best))
        mean = sum(share for _, share, _ in members) / len(members)
        means.append(Point(x, _y(mean, low, high), f"mean of {group}: {_text(mean, True)}"))
    x_ticks = tuple(Tick(_x(place, len(groups), inset=0.5), group) for place, (group, _) in enumerate(groups, start=1))
    return Chart(title, "", x_ticks, y_ticks, (Series("mean", 2, tuple(means)), Series("variant", 1, tuple(marks))))


def _x(place: float, count: int, inset: float = 0.0) -> float:
    """Horizontal place of the `place`-th of `count` equal steps; `inset` keeps the outer ones off the frame."""
    span = count - 1 + 2 * inset
    share = (place - 1 + inset) / span if span else 0.5
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _y(value: float, low: float, high: float) -> float:
    return round(TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)


def _axis(values: Sequence[float], *, percent: bool) -> tuple[tuple[Tick, ...], float, float]:
    """Round ticks that enclose the values, and the ends of the axis."""
    low, high = min(values), max(values)
    if high - low <= 1e-12 * max(abs(low), abs(high), _SMALLEST):
        room = 0.01 if percent else 0.2 * abs(high) or 1.0
        low, high = low - room, high + room
    rough = (high - low) / _TICKS
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    if percent:
        first, last = max(first, 0), min(last, math.ceil(1 / step))
    last = max(last, first + 1)
    low, high = first * step, last * step
    shown = step * 100 if percent else step
    digits = next((d for d in range(_MOST_DIGITS) if math.isclose(round(shown, d), shown, rel_tol=1e-6)), _MOST_DIGITS)
    ticks = []
    for number in range(first, last + 1):
        value = number * step
        label = f"{value * 100:.{digits}f}%" if percent else f"{value:,.{digits}f}"
        ticks.append(Tick(_y(value, low, high), label))
    return tuple(ticks), low, high


def _text(value: float, percent: bool) -> str:
    return f"{value:.2%}" if percent else f"{value:,.4g}"
