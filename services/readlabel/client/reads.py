"""The reads of a training, looked at before anything is sent: a worker would refuse them only after that.

Two files and the run that names them enter; notes for the person leave, or an error that says why they will not do.
"""

from __future__ import annotations

from pathlib import Path

from readlabel.messages import InputError, Library, RunSpec
from readlabel.reads.footer import read_header
from readlabel.reads.header import Header

_WHY = (
    "the figures would be of reads that the model has learned. Draw others to judge it by: readlabel simulate "
    "--stream validation"
)


def check_reads(training: Path, validation: Path, spec: RunSpec) -> tuple[str, ...]:
    """Make sure that reads are of the run's library, and that none to judge the model by is one to learn from.

    Args:
        training: Parquet file of labelled reads.
        validation: the same, independent of the former.
        spec: the run that names both by their content.

    Returns:
        What may be meant otherwise, though it can be trained.

    Raises:
        InputError: a file cannot be read or has other labels, or the two hold the same reads.
    """
    if spec.training_reads == spec.validation_reads:
        raise InputError(f"--train {training} and --validation {validation} hold the same reads: {_WHY}")
    learned, judged = read_header(training), read_header(validation)
    notes = [*_doubts(training, learned, spec.point.library), *_doubts(validation, judged, spec.point.library)]
    if learned is not None and judged is not None and _drawn_alike(learned, judged):
        raise InputError(
            f"--train {training} and --validation {validation} come from the same seed and stream, so that the one "
            f"begins with the reads of the other: {_WHY}"
        )
    return tuple(notes)


def _doubts(path: Path, header: Header | None, library: Library) -> list[str]:
    if header is None or header.library is None:
        return []
    if header.labels != library.labels:
        raise InputError(
            f"{path}: its labels are {', '.join(header.labels)}; the library {library.model} of this run has "
            f"{', '.join(library.labels)}"
        )
    if (header.library.segments, header.library.strand) == (library.segments, library.strand):
        return []
    return [f"{path.name} was made for another row than {library.model}'s: order, patterns or strand differ"]


def _drawn_alike(one: Header, other: Header) -> bool:
    """Whether two files are what one seed gives, but for the number of reads: the first ones are then the same."""
    first, second = (dict(header.provenance or {}) for header in (one, other))
    counts = first.pop("num_reads", None), second.pop("num_reads", None)
    rows = [header.library and (header.library.segments, header.library.strand) for header in (one, other)]
    return None not in counts and first == second and rows[0] == rows[1]
