"""Whether a read's segments stand in the library's order, in the words tranquillyzer uses."""

from __future__ import annotations

import pytest

from readlabel.evaluation.architecture import judge
from readlabel.messages import Library, Segment

FORWARD = ["5p", "CBC", "UMI", "polyT", "cDNA", "3p"]


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        (FORWARD, "valid"),
        (["cDNA", *FORWARD, "cDNA"], "valid"),
        (["cDNA", *FORWARD[::-1], "cDNA"], "valid"),
        ([name for name in FORWARD if name != "polyT"], "valid"),
        (["cDNA", *FORWARD, "cDNA", *FORWARD[::-1], "cDNA"], "concatenated reads x2 (+:1, -:1)"),
        (FORWARD * 3, "concatenated reads x3 (+:3)"),
        (["cDNA"], "Unexpected pattern: [cDNA]"),
        (FORWARD[:4], "Unexpected pattern: [5p_CBC_UMI_polyT]"),
        ([*FORWARD, "UMI"], "Unexpected pattern: [5p_CBC_UMI_polyT_cDNA_3p_UMI]"),
        (["5p", *FORWARD[1:5], "3p", "3p"], "Unexpected pattern: [5p_CBC_UMI_polyT_cDNA_3p_3p]"),
    ],
)
def test_the_order_of_runs_decides(library_3p: Library, runs: list[str], reason: str) -> None:
    verdict = judge(library_3p, runs)
    assert verdict.reason == reason
    assert verdict.valid == (reason == "valid")


def test_a_library_that_ends_in_cdna_takes_its_flank_along() -> None:
    library = Library(
        model="open",
        segments=(
            Segment(name="5p", pattern="ACGT"),
            Segment(name="CBC", pattern="N8"),
            Segment(name="cDNA", pattern="NN"),
        ),
        strand="fwd",
    )
    assert judge(library, ["cDNA", "5p", "CBC", "cDNA"]).valid
    assert judge(library, ["cDNA", "CBC", "5p", "cDNA"]).valid
    assert judge(library, ["5p", "CBC", "cDNA", "5p", "CBC", "cDNA"]).reason == "concatenated reads x2 (+:2)"


def test_a_segment_named_twice_in_a_row_is_one_run() -> None:
    segments = [("5p", "ACGT"), ("BC", "N8"), ("BC", "N8"), ("cDNA", "NN"), ("3p", "GGTT")]
    library = Library(model="twice", segments=tuple(Segment(name=n, pattern=p) for n, p in segments), strand="fwd")
    assert judge(library, ["5p", "BC", "cDNA", "3p"]).valid
