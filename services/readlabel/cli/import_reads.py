"""`readlabel import-reads`: tranquillyzer's reads.pkl and labels.pkl → labelled reads in Parquet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from readlabel.artifacts.digest import file_ref
from readlabel.cli._library import library_of
from readlabel.cli._outputs import check_outputs
from readlabel.messages import InputError
from readlabel.reads.kinship import require_kin
from readlabel.reads.parquet import write_reads
from readlabel.reads.pickles import LABELS_NAME, READS_NAME, ImportProvenance, load_pair


def main(
    reads: Annotated[Path, typer.Option(help="reads.pkl, or the folder that holds it and labels.pkl.")],
    out: Annotated[Path, typer.Option(help="The Parquet file to write.")],
    labels: Annotated[Path | None, typer.Option(help="labels.pkl; by default the one beside reads.pkl.")] = None,
    library: Annotated[Path | None, typer.Option(help="The library (JSON).")] = None,
    training_seq_orders: Annotated[Path | None, typer.Option(help="Or a table with one library a row (TSV).")] = None,
    model_name: Annotated[str | None, typer.Option(help="Which row of that table.")] = None,
) -> None:
    """Import reads and labels that tranquillyzer simulated.

    The pickles are read as data: lists, strings and numpy arrays; anything else in them is refused before it could run.

    \b
    Example, on tranquillyzer's output and a table that
    `readlabel grid --example tables` writes:
      readlabel import-reads --reads simulated/ --model-name 10x3p_sc_ont \\
        --training-seq-orders tables/training_seq_orders.tsv \\
        --out imported.parquet
    """
    chosen = library_of(library, training_seq_orders, model_name)
    if not reads.exists():
        raise InputError(f"--reads {reads}: there is no such file or folder")
    if reads.is_dir():
        if labels is not None:
            raise InputError(f"--reads {reads} is a folder, which holds {LABELS_NAME} too: leave --labels out")
        reads, labels = reads / READS_NAME, reads / LABELS_NAME
    elif labels is None:
        labels = reads.with_name(LABELS_NAME)
        if not labels.exists():
            raise InputError(f"--reads {reads}: there is no {LABELS_NAME} beside it; give --labels")
        print(f"note: labels are taken from {labels}", file=sys.stderr)
    check_outputs(
        [("--out", out)],
        [
            ("--reads", reads),
            ("--labels", labels),
            ("--library", library),
            ("--training-seq-orders", training_seq_orders),
        ],
    )
    imported = load_pair(reads, labels, chosen)
    require_kin(imported, chosen, labels)
    written = write_reads(out, [imported], chosen, ImportProvenance(reads=file_ref(reads), labels=file_ref(labels)))
    print(f"{written} reads of {chosen.model} written to {out}")
