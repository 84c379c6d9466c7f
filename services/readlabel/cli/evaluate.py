"""`readlabel evaluate`: an exported variant and labelled reads → how well they agree."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from readlabel.artifacts.atomic import require_writable
from readlabel.artifacts.digest import file_ref
from readlabel.cli._inference import (
    BUDGET,
    Device,
    MaxBatchSize,
    MinBatchSize,
    TargetTokens,
    Threads,
    VramHeadroom,
)
from readlabel.messages import Library, Metrics
from readlabel.reads.footer import read_header
from readlabel.reads.parquet import read_library
from readlabel.trainer.budget import Budget


def main(
    run: Annotated[
        Path,
        typer.Option("--run", "--model", help="A run's folder, or that of an exported variant (tranquillyzer's too)."),
    ],
    validation: Annotated[Path, typer.Option(help="Labelled reads (Parquet) that it was not trained on.")],
    out: Annotated[
        Path | None, typer.Option(help="Write metrics.json and predictions.parquet here; by default only print.")
    ] = None,
    target_tokens: TargetTokens = BUDGET.target_tokens,
    min_batch_size: MinBatchSize = BUDGET.min_batch_size,
    max_batch_size: MaxBatchSize = BUDGET.max_batch_size,
    vram_headroom: VramHeadroom = BUDGET.vram_headroom,
    device: Device = "cpu",
    threads: Threads = 0,
) -> None:
    """Judge an exported model on labelled reads, in inference mode.

    Every read is labelled twice: by itself, and under the padding that tranquillyzer shows its network. Accuracy and F1
    count bases. Exact order is the share of reads whose segments come in the true order; exact barcodes (UMIs) is the
    share of the true ones that are cut out exactly, first and last base right.

    \b
    Example, with the files that the examples of export and simulate make:
      readlabel evaluate --run variants/10x3p_sc_ont_0 \\
        --validation validation.parquet
    """
    if out is not None:
        require_writable(out)
    header = read_header(validation)
    provenance = (header and header.provenance) or {}
    library = read_library(validation)
    # TensorFlow takes seconds to import, which help and what is wrong with the call need not wait for.
    from readlabel.cli._device import use_device
    from readlabel.trainer.evaluate import evaluate
    from readlabel.trainer.variant import find_variant

    record = find_variant(run).record()
    if record is not None and record.spec.training_reads == file_ref(validation):
        print(f"note: {validation} holds the reads that this model has learned", file=sys.stderr)
    elif provenance.get("stream") == "training":
        print(
            f"note: {validation} was simulated as training reads: a model trained with seed {provenance.get('seed')} "
            "may have learned them. Draw others to judge it by: readlabel simulate --stream validation",
            file=sys.stderr,
        )
    use_device(device, threads)
    budget = Budget(target_tokens, min_batch_size, max_batch_size, vram_headroom)
    with ExitStack() as stack:
        folder = out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _print(evaluate(run, validation, folder, budget), library)


def _print(metrics: Metrics, library: Library) -> None:
    console = Console(highlight=False)
    both = metrics.validation, metrics.tranquillyzer_padding
    table = Table(box=SIMPLE_HEAD)
    for title in ("", "by itself", "as tranquillyzer pads"):
        table.add_column(title, justify="left" if not title else "right")
    table.add_row("accuracy", *(f"{scores.accuracy:.4f}" for scores in both))
    table.add_row("macro-F1", *(f"{scores.macro_f1:.4f}" for scores in both))
    table.add_row("exact order", *(f"{scores.exact_order:.4f}" for scores in both))
    for name, labels in (("barcodes", library.barcodes), ("UMIs", library.umis)):
        if labels:
            table.add_row(f"exact {name}", *(_share(scores.exact_share(labels)) for scores in both))
    for own, padded in zip(*(scores.labels for scores in both), strict=True):
        table.add_row(f"F1 {own.label}", f"{own.f1:.4f}", f"{padded.f1:.4f}")
    console.print(table)
    scores = metrics.validation
    if scores.missed:
        console.print(f"The model {scores.missed}.", markup=False)
    console.print(f"{scores.reads:,} reads, {scores.bases:,} bases, {metrics.bases_per_second:,.0f} bases a second")


def _share(value: float | None) -> str:
    return "NA" if value is None else f"{value:.4f}"
