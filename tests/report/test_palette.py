"""Colours belong to labels: fixed, distinct, and readable under dark text."""

from __future__ import annotations

from itertools import combinations

from readlabel.report.palette import CDNA_FILL, TEXT, fills

MANY = tuple(f"segment{number}" for number in range(24))


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_order_of_labels_does_not_change_their_colours() -> None:
    assert fills(("5p", "cDNA", "UMI")) == fills(("UMI", "5p", "cDNA"))


def test_cdna_is_grey_and_takes_no_fill_from_the_others() -> None:
    assert fills(("5p", "cDNA"))["cDNA"] == CDNA_FILL
    assert fills(("5p", "cDNA"))["5p"] == fills(("5p",))["5p"]


def test_two_dozen_labels_have_distinct_fills_that_dark_text_can_be_read_on() -> None:
    colours = fills((*MANY, "cDNA"))
    assert all(first != second for first, second in combinations(colours.values(), 2))
    contrasts = [(luminance(colour) + 0.05) / (luminance(TEXT) + 0.05) for colour in colours.values()]
    assert min(contrasts) >= 4.5
