"""`readlabel simulate`: a library and a seed → labelled reads in Parquet."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from readlabel.cli._library import library_of
from readlabel.cli._outputs import check_outputs
from readlabel.messages import InputError, Problem
from readlabel.reads.pickles import LABELS_NAME, READS_NAME
from readlabel.simulator.parameters import MAX_SEED, SimulationParameters, Stream
from readlabel.simulator.simulate import MAX_READS
from readlabel.simulator.write import MAX_WORKERS, write_simulated

_DEFAULT = SimulationParameters()


def main(
    out: Annotated[Path, typer.Option(help="The Parquet file to write.")],
    library: Annotated[Path | None, typer.Option(help="The library (JSON).")] = None,
    training_seq_orders: Annotated[Path | None, typer.Option(help="Or a table with one library a row (TSV).")] = None,
    model_name: Annotated[str | None, typer.Option(help="Which row of that table.")] = None,
    num_reads: Annotated[
        int, typer.Option(min=1, max=MAX_READS, help="Molecules; each gives two reads unless --no-rc.")
    ] = 50_000,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="The same seed gives the same file.")] = 1,
    stream: Annotated[
        Stream, typer.Option(help="Draws for training and validation share no random numbers.")
    ] = "training",
    mismatch_rate: Annotated[float, typer.Option(help="Chance that a base is substituted.")] = _DEFAULT.mismatch_rate,
    insertion_rate: Annotated[
        float, typer.Option(help="Chance of an insertion after a base.")
    ] = _DEFAULT.insertion_rate,
    deletion_rate: Annotated[float, typer.Option(help="Chance that a base is left out.")] = _DEFAULT.deletion_rate,
    polyt_error_rate: Annotated[
        float, typer.Option(help="Chance of each of the three errors at a base of a tail.")
    ] = _DEFAULT.polyt_error_rate,
    max_insertions: Annotated[int, typer.Option(help="Most bases inserted at one place.")] = _DEFAULT.max_insertions,
    cdna_error: Annotated[
        bool,
        typer.Option(
            "--cdna-error/--no-cdna-error",
            "--cdna_error",
            help="Whether cDNA and flanks get errors too, as in real reads.",
        ),
    ] = _DEFAULT.cdna_error,
    segment_error: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=M,I,D", help="Mismatch, insertion and deletion rate of one segment; repeatable."),
    ] = None,
    homopolymer_indel: Annotated[
        float, typer.Option(help="Each further base of a run raises its indel rates by this share of themselves.")
    ] = _DEFAULT.homopolymer_indel,
    min_cdna: Annotated[int, typer.Option(help="Fewest cDNA bases.")] = _DEFAULT.min_cdna,
    max_cdna: Annotated[int, typer.Option(help="Most cDNA bases.")] = _DEFAULT.max_cdna,
    rc: Annotated[bool, typer.Option(help="Whether each read is followed by its reverse complement.")] = _DEFAULT.rc,
    invalid_fraction: Annotated[
        float, typer.Option(help="Share of reads that are no valid molecule.")
    ] = _DEFAULT.invalid_fraction,
    transcriptome: Annotated[
        Path | None, typer.Option(help="FASTA of transcripts (gzip too); random ones without it.")
    ] = None,
    pkl: Annotated[Path | None, typer.Option(help="Folder for tranquillyzer's reads.pkl and labels.pkl too.")] = None,
    threads: Annotated[
        int, typer.Option(min=1, max=MAX_WORKERS, help="Processes that make reads; the file does not depend on it.")
    ] = 2,
) -> None:
    """Simulate labelled reads of a library.

    Options and defaults are those of tranquillyzer's simulate-data where it has them; docs/simulation.md gives every
    rule. A training and a validation set of one seed are independent.

    \b
    Examples, on a table that `readlabel grid --example tables` writes:
      readlabel simulate --training-seq-orders tables/training_seq_orders.tsv \\
        --model-name 10x3p_sc_ont --num-reads 2000 --out train.parquet
      readlabel simulate --training-seq-orders tables/training_seq_orders.tsv \\
        --model-name 10x3p_sc_ont --num-reads 500 --stream validation \\
        --out validation.parquet
    """
    pair = () if pkl is None else (pkl / READS_NAME, pkl / LABELS_NAME)
    check_outputs(
        [("--out", out), *(("--pkl", path) for path in pair)],
        [
            ("--library", library),
            ("--training-seq-orders", training_seq_orders),
            ("--transcriptome", transcriptome),
        ],
    )
    chosen = library_of(library, training_seq_orders, model_name)
    parameters = _parameters(
        mismatch_rate=mismatch_rate,
        insertion_rate=insertion_rate,
        deletion_rate=deletion_rate,
        polyt_error_rate=polyt_error_rate,
        max_insertions=max_insertions,
        cdna_error=cdna_error,
        segment_errors=[_segment_error(text) for text in segment_error or ()],
        homopolymer_indel=homopolymer_indel,
        min_cdna=min_cdna,
        max_cdna=max_cdna,
        rc=rc,
        invalid_fraction=invalid_fraction,
    )
    with _progress(num_reads) as progress:
        written = write_simulated(
            out,
            chosen,
            parameters,
            seed=seed,
            stream=stream,
            num_reads=num_reads,
            transcriptome=transcriptome,
            pickles=pkl,
            workers=threads,
            progress=progress,
        )
    print(f"{written} reads of {chosen.model} written to {out}")


def _parameters(**values: Any) -> SimulationParameters:
    try:
        return SimulationParameters.model_validate(values)
    except ValidationError as error:
        raise InputError([_problem(found, values) for found in error.errors()]) from error


def _problem(found: Any, values: dict[str, Any]) -> Problem:
    """A finding in the words of the command line."""
    name, *inner = found["loc"] or ("",)
    where = _option(name) if name else ""
    if name == "segment_errors" and inner:
        where = " ".join([where, values[name][inner[0]]["segment"], *map(str, inner[2:])])
    given = f", not {found['input']}" if name and not isinstance(found["input"], dict) else ""
    text = found["msg"].removeprefix("Value error, ")
    return Problem(where, re.sub(r"\w+", lambda word: _option(word.group()), text) + given)


def _option(word: str) -> str:
    """What a user types for a parameter; any other word as it is."""
    if word not in SimulationParameters.model_fields or word == "rc":
        return word
    return "--" + word.replace("segment_errors", "segment_error").replace("_", "-")


def _segment_error(text: str) -> dict[str, Any]:
    """``CBC=0.01,0.02,0.03`` as the fields of `SegmentErrors`."""
    name, _, numbers = text.partition("=")
    try:
        if not name:
            raise ValueError
        mismatch, insertion, deletion = (float(number) for number in numbers.split(","))
    except ValueError:
        raise InputError(
            f"--segment-error {text!r}: give NAME=MISMATCH,INSERTION,DELETION, as CBC=0.05,0.05,0.06"
        ) from None
    return {"segment": name, "rates": {"mismatch": mismatch, "insertion": insertion, "deletion": deletion}}


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None] | None]:
    """A bar over molecules when somebody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("simulating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("simulating", total=total)
        yield lambda count: bar.advance(task, count)
