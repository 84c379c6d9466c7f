"""`readlabel label`: an exported model and real reads → a table of their segments, and drawings of the first."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from readlabel.artifacts.atomic import atomic_path
from readlabel.cli._inference import (
    BUDGET,
    Device,
    MaxBatchSize,
    MinBatchSize,
    TargetTokens,
    Threads,
    VramHeadroom,
)
from readlabel.cli._label_progress import LabelProgress
from readlabel.cli._library import library_of
from readlabel.cli._outputs import check_outputs
from readlabel.messages import InputError, Library
from readlabel.reads.segments import STDOUT, check_suffix, open_segments
from readlabel.reads.sequenced import Extent, check_beginnings, measure, sequenced_batches
from readlabel.trainer.budget import Budget

if TYPE_CHECKING:
    from readlabel.evaluation.architecture import Architecture
    from readlabel.report.drawing import DrawnRead
    from readlabel.trainer.labelling import LabelledBatch

_PLOT_READS = 20
_OUTCOMES = ("valid", "concatenated", "unexpected")


def main(
    model: Annotated[Path, typer.Argument(help="A variant's or a run's folder, or the prefix of its files.")],
    reads: Annotated[list[Path], typer.Argument(help="FASTQ or FASTA, gzip too; - is standard input.")],
    out: Annotated[Path, typer.Option(help="The table: .tsv, .tsv.gz or .parquet; - is TSV on standard output.")],
    pdf: Annotated[Path | None, typer.Option(help="Draw the first reads here, coloured by label.")] = None,
    num_plot_reads: Annotated[int, typer.Option(min=1, help="Reads to draw.")] = _PLOT_READS,
    library: Annotated[
        Path | None, typer.Option(help="The library (JSON), where the model's files do not tell it.")
    ] = None,
    training_seq_orders: Annotated[Path | None, typer.Option(help="Or a table with one library a row (TSV).")] = None,
    model_name: Annotated[str | None, typer.Option(help="Which row of that table.")] = None,
    padding: Annotated[
        Literal["none", "tranquillyzer"],
        typer.Option(help="Show the model a read alone, or followed by tranquillyzer's zeros."),
    ] = "none",
    target_tokens: TargetTokens = BUDGET.target_tokens,
    min_batch_size: MinBatchSize = BUDGET.min_batch_size,
    max_batch_size: MaxBatchSize = BUDGET.max_batch_size,
    vram_headroom: VramHeadroom = BUDGET.vram_headroom,
    device: Device = "cpu",
    threads: Threads = 0,
) -> None:
    """Label real reads with an exported model, tranquillyzer's own included.

    The table has a row a segment: read, label, start, end, sequence, strand, and whether the read is one whole
    molecule. docs/label.md has its columns and how to take barcodes and UMIs out. Memory does not grow with the reads.

    \b
    Examples, with models that the examples of report and export make, and
    your reads:
      readlabel label comparison/best/10x3p_sc_ont reads.fastq.gz \\
        --out segments.tsv --pdf reads.pdf
      readlabel label tranquillyzer/models/10x3p_sc_ont fastq_pass/*.fastq.gz \\
        --out all.parquet
      samtools fastq reads.bam \\
        | readlabel label comparison/best/10x3p_sc_ont - --out - \\
        | awk -F'\\t' '$3 == "true" && $7 == "CBC"'
    """
    check_suffix(out)
    written = [("--out", None if out == STDOUT else out), ("--pdf", pdf)]
    tables = [("--library", library), ("--training-seq-orders", training_seq_orders)]
    check_outputs(written, [*(("the reads", path) for path in reads), *tables])
    if pdf is not None and pdf.suffix.lower() != ".pdf":
        raise InputError(f"--pdf {pdf}: what is drawn is a PDF; let its name end in .pdf")
    named = (library, training_seq_orders, model_name) != (None, None, None)
    given = library_of(library, training_seq_orders, model_name) if named else None
    check_beginnings(reads)
    budget = Budget(target_tokens, min_batch_size, max_batch_size, vram_headroom)
    with ExitStack() as stack:
        with LabelProgress() as progress:
            # TensorFlow takes seconds to import: what is wrong with the call has been said by now.
            from readlabel.cli._device import use_device
            from readlabel.trainer.labelling import label_reads, library_for
            from readlabel.trainer.variant import find_variant

            use_device(device, threads)
            variant = find_variant(model)
            check_outputs(written, [("the model's", path) for path in variant.inputs()])
            network = variant.load()
            chosen = library_for(variant, network, given)
            metrics = variant.metrics()
            if metrics is not None and metrics.validation.missed:
                print(f"note: on its validation reads this model {metrics.validation.missed}", file=sys.stderr)
            # Begun before the work, so that a place that cannot be written is told at once.
            drawings = None if pdf is None else _Drawings(stack.enter_context(atomic_path(pdf)), num_plot_reads)
            with open_segments(out, chosen) as add:
                extent = measure(reads, progress.checked)
                progress.begin(extent)
                outcomes: Counter[str] = Counter()
                batches = sequenced_batches(reads, chosen.labels)
                for batch in label_reads(network, chosen, batches, budget, padding, progress.labelled):
                    add(batch.reads, batch.verdicts())
                    if drawings is not None:
                        drawings.add(batch)
                    outcomes.update(_outcome(architecture) for architecture in batch.architectures)
            speed = progress.speed
        # The table is whole, and the drawings cannot take it away again.
        told = sys.stderr if out == STDOUT else sys.stdout
        print(f"{_summary(outcomes, extent)}; {speed}", file=told, flush=True)
        if out != STDOUT:
            print(out, file=told, flush=True)
        if drawings is not None:
            drawings.write(variant.name or model.name, chosen)
    if pdf is not None:
        print(pdf, file=told)


class _Drawings:
    """Collects the first reads, and draws them."""

    def __init__(self, path: Path, count: int) -> None:
        self._path = path
        self._count = count
        self._reads: list[DrawnRead] = []

    def add(self, batch: LabelledBatch) -> None:
        from readlabel.report.labelled import drawn_labelled

        done = len(self._reads)
        self._reads += drawn_labelled(batch.reads, batch.architectures, done, self._count - done)

    def write(self, title: str, library: Library) -> None:
        from readlabel.report.drawing import style_of
        from readlabel.report.pdf import write_drawings

        write_drawings(self._path, title, self._reads, style_of(library))


def _outcome(architecture: Architecture) -> str:
    if architecture.valid:
        return "valid"
    return "concatenated" if architecture.molecules else "unexpected"


def _summary(outcomes: Counter[str], extent: Extent | None) -> str:
    reads = outcomes.total()
    parts = [f"{outcomes[kind]:,} {kind} ({outcomes[kind] / reads:.1%})" for kind in _OUTCOMES]
    if extent is not None and extent.empty:
        parts.append(f"{extent.empty:,} more without a base")
    return f"{reads:,} reads: {', '.join(parts)}"
