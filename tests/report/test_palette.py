"""Colours belong to names: the same in every library, told apart by every eye, and readable under dark text."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from readlabel.report.palette import KNOWN, TEXT, fills
from readlabel.tables.seq_orders import read_seq_orders

ORDERS = Path(__file__).parents[2] / "assets" / "training_seq_orders.tsv"
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,20}", fullmatch=True)

# Machado, Oliveira and Fernandes (2009), full severity, on linear RGB.
VISION = {
    "all cones": np.eye(3),
    "no red cones": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "no green cones": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "no blue cones": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
JUST_NOTICEABLE = 2.3
"""A difference of CIE L*a*b* that half of all viewers see."""
SRGB_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour: str) -> NDArray[np.float64]:
    channels = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(colour: str) -> float:
    """Of dark text on it, WCAG 2.2."""
    ground, text = (float(SRGB_TO_XYZ[1] @ linear(each)) for each in (colour, TEXT))
    return (ground + 0.05) / (text + 0.05)


def lab(colour: str, eye: str) -> NDArray[np.float64]:
    """CIE L*a*b* of a colour as an eye sees it."""
    xyz = SRGB_TO_XYZ @ np.clip(VISION[eye] @ linear(colour), 0, 1) / SRGB_TO_XYZ.sum(axis=1)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@given(st.sets(NAMES, max_size=8), st.sets(NAMES, max_size=8))
def test_a_name_many_libraries_share_has_one_colour_in_all_of_them(some: set[str], others: set[str]) -> None:
    assert {name: fills((*some, *KNOWN))[name] for name in KNOWN} == KNOWN
    for name in KNOWN:
        assert fills((*others, name))[name] == KNOWN[name]


@given(NAMES, st.sets(st.sampled_from(sorted(KNOWN))))
def test_any_other_name_has_a_colour_of_its_own_beside_them(name: str, known: set[str]) -> None:
    assert fills((name, *known))[name] == fills((name,))[name]


def test_the_order_of_labels_does_not_change_their_colours() -> None:
    names = tuple(f"segment{number}" for number in range(40))
    assert fills(names) == fills(names[::-1])


@pytest.mark.parametrize("count", [24, 200])
def test_no_two_labels_of_a_library_share_a_colour_and_dark_text_can_be_read_on_each(count: int) -> None:
    colours = fills((*KNOWN, *(f"segment{number}" for number in range(count - len(KNOWN)))))
    assert len(set(colours.values())) == count
    assert min(map(contrast, colours.values())) >= 4.5


@pytest.mark.parametrize("eye", VISION)
def test_the_labels_of_the_libraries_that_come_with_it_are_told_apart_by_every_eye(eye: str) -> None:
    for library in read_seq_orders(ORDERS).values():
        colours = fills(library.labels)
        for first, second in combinations(colours, 2):
            apart = np.linalg.norm(lab(colours[first], eye) - lab(colours[second], eye))
            assert apart > 5 * JUST_NOTICEABLE, (library.model, first, second)
