"""Colours of labels: the labels of a library enter, one fixed fill a label leaves, the same in every PDF and HTML page.

The fills are Paul Tol's "light" scheme (https://personal.sron.nl/~pault/, SRON/EPS/TN/09-002): made for dark text on
filled cells and distinct in all forms of colour blindness. cDNA takes the scheme's pale grey, so that the segments a
library adds to a transcript stand out from it.
"""

from __future__ import annotations

from collections.abc import Sequence

from readlabel.messages import CDNA

CDNA_FILL = "#DDDDDD"
FILLS = ("#77AADD", "#EE8866", "#44BB99", "#FFAABB", "#EEDD88", "#99DDFF", "#BBCC33", "#AAAA00")
TEXT = "#1A1A1A"
MUTED = "#5F6670"
WRONG = "#B00020"

_SHADES = (0.0, 0.45, -0.18)
"""Each further round through the fills is lighter, then darker; names are always written beside a colour."""


def fills(labels: Sequence[str]) -> dict[str, str]:
    """Give each label its fill as ``#RRGGBB``.

    The answer depends on the labels alone and not on their order: cDNA is grey, the others take the fills in sorted
    order.
    """
    colours = {CDNA: CDNA_FILL} if CDNA in labels else {}
    for place, label in enumerate(sorted(set(labels) - {CDNA})):
        cycle, slot = divmod(place, len(FILLS))
        colours[label] = _shade(FILLS[slot], _SHADES[cycle % len(_SHADES)])
    return colours


def _shade(colour: str, amount: float) -> str:
    """Mix a colour with white (amount above 0) or black (below 0)."""
    target = 255 if amount > 0 else 0
    channels = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(channel + (target - channel) * abs(amount)):02X}" for channel in channels)
