"""`readlabel evaluate`: an exported variant and labelled reads → how well they agree."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from readlabel.cli._device import use_device
from readlabel.messages import Metrics
from readlabel.trainer.budget import Budget
from readlabel.trainer.evaluate import evaluate

_BUDGET = Budget()


def main(
    run: Annotated[Path, typer.Option(help="A run's folder, or that of an exported variant (tranquillyzer's too).")],
    validation: Annotated[Path, typer.Option(help="Labelled reads (Parquet) that it was not trained on.")],
    out: Annotated[
        Path | None, typer.Option(help="Write metrics.json and predictions.parquet here; by default only print.")
    ] = None,
    target_tokens: Annotated[
        int, typer.Option(min=1, help="Positions of a batch, padding included.")
    ] = _BUDGET.target_tokens,
    min_batch_size: Annotated[int, typer.Option(min=1, help="Reads of a batch at least.")] = _BUDGET.min_batch_size,
    max_batch_size: Annotated[int, typer.Option(min=1, help="Reads of a batch at most.")] = _BUDGET.max_batch_size,
    vram_headroom: Annotated[
        float, typer.Option(min=0, max=0.95, help="Share of a GPU's memory left free.")
    ] = _BUDGET.vram_headroom,
    device: Annotated[str, typer.Option(help="cpu, or a GPU's index or UUID.")] = "cpu",
    threads: Annotated[int, typer.Option(min=0, help="Threads; 0 leaves the choice to TensorFlow.")] = 0,
) -> None:
    """Judge an exported model on labelled reads, in inference mode.

    Every read is labelled twice: by itself, and under the padding that
    tranquillyzer shows its network. Figures count bases; the exact order is
    the share of reads whose segments come in the true order.

    \b
    Example:
      readlabel evaluate --run results/mylib/mylib_0 \\
        --validation validation.parquet
    """
    use_device(device, threads)
    budget = Budget(target_tokens, min_batch_size, max_batch_size, vram_headroom)
    with ExitStack() as stack:
        folder = out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _print(evaluate(run, validation, folder, budget))


def _print(metrics: Metrics) -> None:
    console = Console(highlight=False)
    both = metrics.validation, metrics.tranquillyzer_padding
    table = Table(box=SIMPLE_HEAD)
    for title in ("", "by itself", "as tranquillyzer pads"):
        table.add_column(title, justify="left" if not title else "right")
    table.add_row("accuracy", *(f"{scores.accuracy:.4f}" for scores in both))
    table.add_row("macro-F1", *(f"{scores.macro_f1:.4f}" for scores in both))
    table.add_row("exact order", *(f"{scores.exact_order:.4f}" for scores in both))
    for labels in zip(*(scores.labels for scores in both), strict=True):
        table.add_row(f"F1 {labels[0].label}", *(f"{label.f1:.4f}" for label in labels))
    console.print(table)
    scores = metrics.validation
    console.print(f"{scores.reads:,} reads, {scores.bases:,} bases, {metrics.bases_per_second:,.0f} bases a second")
