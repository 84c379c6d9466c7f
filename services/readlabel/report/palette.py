"""Colours of labels: a library's labels enter, one fixed fill a label leaves, the same in every PDF and HTML page.

The fills are Paul Tol's "light" scheme (https://personal.sron.nl/~pault/, SRON/EPS/TN/09-002): made for dark text on
filled cells and distinct in all forms of colour blindness. cDNA takes the scheme's pale grey, so that the segments a
library adds to a transcript stand out from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from readlabel.messages import CDNA

TEXT = "#1A1A1A"
MUTED = "#5F6670"
WRONG = "#B00020"

_BLUE, _ORANGE, _MINT, _PINK = "#77AADD", "#EE8866", "#44BB99", "#FFAABB"
_YELLOW, _CYAN, _PEAR, _OLIVE, _GREY = "#EEDD88", "#99DDFF", "#BBCC33", "#AAAA00", "#DDDDDD"
_FILLS = (_BLUE, _ORANGE, _MINT, _PINK, _YELLOW, _CYAN, _PEAR, _OLIVE)
_LAVENDER = "#BFA0DC"
"""Not of that scheme, which has no fill left that is far from its neighbours in a read."""
_LIGHTER, _DARKER = 0.45, -0.18


def _shade(colour: str, amount: float) -> str:
    """Mix a colour with white (amount above 0) or black (below 0)."""
    target = 255 if amount > 0 else 0
    channels = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(channel + (target - channel) * abs(amount)):02X}" for channel in channels)


KNOWN = {
    CDNA: _GREY,
    "5p": _ORANGE,
    "3p": _BLUE,
    "CBC": _MINT,
    "UMI": _YELLOW,
    "polyT": _PEAR,
    "polyA": _OLIVE,
    "SLS": _CYAN,
    "TSO": _LAVENDER,
    "BC1": _shade(_MINT, _LIGHTER),
    "BC2": _shade(_MINT, _DARKER),
    "BC3": _PINK,
}
"""Names that many libraries share. No other name takes their fills while there is another one."""

_FREE = (
    *(_shade(base, _LIGHTER) for base in (_ORANGE, _PINK, _YELLOW, _LAVENDER)),
    *(_shade(base, _DARKER) for base in (_ORANGE, _PINK, _YELLOW, _OLIVE, _LAVENDER)),
)
"""The shades that no fill of `KNOWN` looks like."""


def fills(labels: Sequence[str]) -> dict[str, str]:
    """Give each label its fill as ``#RRGGBB``; no two of a library's labels share one.

    A name of `KNOWN` has the same fill in every library. Any other name has a place of its own among the free fills,
    drawn from its letters, and leaves it only where an earlier one of the same library, in sorted order, holds it.
    """
    colours = {label: KNOWN[label] for label in labels if label in KNOWN}
    taken = set(colours.values())
    for label in sorted(set(labels) - set(KNOWN)):
        colours[label] = next(fill for fill in _candidates(label) if fill not in taken)
        taken.add(colours[label])
    return colours


def _candidates(label: str) -> Iterator[str]:
    """Fills in the order in which a name tries them; more than a library may have segments."""
    place = int.from_bytes(hashlib.sha256(label.encode()).digest()[:4], "big") % len(_FREE)
    yield from _FREE[place:] + _FREE[:place]
    yield from KNOWN.values()
    # From here on neighbours look alike: names are always written beside a colour.
    for percent in range(60, 10, -2):
        for base in _FILLS:
            yield _shade(base, percent / 100)
