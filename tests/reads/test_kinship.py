"""Reads whose labels have a library's names but not its adapters."""

from __future__ import annotations

from pathlib import Path

import pytest

from readlabel.messages import InputError, Library
from readlabel.reads.kinship import require_kin
from readlabel.reads.labelled import LabelledReads
from readlabel.simulator.parameters import SimulationParameters
from readlabel.simulator.simulate import simulate

LABELS = Path("labels.pkl")
OTHER_5P = "AATGATACGGCGACCACCGAGATCT"


def reads_of(library: Library, **rates: float) -> LabelledReads:
    return next(iter(simulate(library, SimulationParameters(**rates), 1, "training", 200)))


def with_5p(library: Library, pattern: str) -> Library:
    return library.model_copy(
        update={
            "segments": tuple(
                segment.model_copy(update={"pattern": pattern}) if segment.name == "5p" else segment
                for segment in library.segments
            )
        }
    )


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.15])
def test_reads_of_the_library_are_taken_on_both_strands_at_any_usual_error_rate(library_3p, rate) -> None:
    reads = reads_of(library_3p, mismatch_rate=rate, insertion_rate=rate, deletion_rate=rate)
    require_kin(reads, library_3p, LABELS)


def test_reads_with_another_adapter_under_the_same_name_are_refused_with_the_one_expected(library_3p) -> None:
    reads = reads_of(library_3p)
    with pytest.raises(InputError) as caught:
        require_kin(reads, with_5p(library_3p, OTHER_5P), LABELS)
    [problem] = caught.value.problems
    assert problem.where == "label '5p' of labels.pkl"
    assert f"stretches hold 10 bases in a row of {OTHER_5P}" in problem.message
    assert "are these reads of another library than 10x3p_sc_ont?" in problem.message


def test_too_few_reads_and_short_motifs_are_not_judged(library_3p) -> None:
    reads = reads_of(library_3p)
    require_kin(reads, with_5p(library_3p, OTHER_5P[:9]), LABELS)
    require_kin(reads.slice(0, 20), with_5p(library_3p, OTHER_5P), LABELS)
