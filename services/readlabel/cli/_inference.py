"""What `readlabel evaluate` and `readlabel label` ask alike: how large batches may be, and what they run on."""

from __future__ import annotations

from typing import Annotated

import typer

from readlabel.trainer.budget import Budget

BUDGET = Budget()
"""The defaults of the four options of batches; no choice among them changes a label."""

TargetTokens = Annotated[int, typer.Option(min=1, help="Positions of a batch, padding included.")]
MinBatchSize = Annotated[int, typer.Option(min=1, help="Reads of a batch at least.")]
MaxBatchSize = Annotated[int, typer.Option(min=1, help="Reads of a batch at most.")]
VramHeadroom = Annotated[float, typer.Option(min=0, max=0.95, help="Share of a GPU's memory left free.")]
Device = Annotated[str, typer.Option(help="cpu, or a GPU's index or UUID.")]
Threads = Annotated[int, typer.Option(min=0, help="Threads; 0 leaves the choice to TensorFlow.")]
