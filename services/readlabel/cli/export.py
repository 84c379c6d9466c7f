"""`readlabel export`: a run's folder → the variant as tranquillyzer lays it out, or as its annotation wants it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from readlabel.messages import InputError
from readlabel.report.export import DEFAULT_PLOT_READS, export
from readlabel.report.folders import open_folder
from readlabel.report.install import install


def main(
    run: Annotated[Path, typer.Option(help="A run's folder, or a variant that was exported before.")],
    out: Annotated[Path | None, typer.Option(help="Lay the variant out in this folder: OUT/NAME/.")] = None,
    name: Annotated[str | None, typer.Option(help="The variant's name, MODEL_INDEX as in the grid.")] = None,
    validation: Annotated[Path | None, typer.Option(help="The validation reads (Parquet), to draw some.")] = None,
    num_plot_reads: Annotated[int, typer.Option(min=1, help="Reads to draw, from the first on.")] = DEFAULT_PLOT_READS,
    install_into: Annotated[
        Path | None,
        typer.Option(
            "--install", help="Write the model and its seq_orders.tsv row into this folder of tranquillyzer's."
        ),
    ] = None,
    install_name: Annotated[
        str | None, typer.Option(help="The model's name in tranquillyzer; by default the library's.")
    ] = None,
) -> None:
    """Lay a run out as tranquillyzer does, with drawings of its validation reads.

    With --install, write the variant as tranquillyzer's annotation command wants it: model files named after the model,
    and its row in seq_orders.tsv, where the rows of other models stay as they are; a row of that name but of another
    library is not replaced. tranquillyzer loads models from the folder models/ of its own checkout only.

    \b
    Examples, with the files that the examples of train and simulate make:
      readlabel export --run run --validation validation.parquet \\
        --name 10x3p_sc_ont_0 --out variants
      readlabel export --run variants/10x3p_sc_ont_0 \\
        --install tranquillyzer/models
    """
    if out is None and install_into is None:
        raise InputError("nothing to do: give --out to lay the variant out, --install to hand it to tranquillyzer")
    folder = open_folder(run)
    if out is not None:
        variant = name or folder.variant
        if variant is None:
            raise InputError(
                "--name: give the variant's name, MODEL_INDEX as in the grid; a run's folder does not know it"
            )
        print(export(folder, variant, out, validation, num_plot_reads))
    if install_into is not None:
        installed = install(folder, install_into, install_name)
        for path in installed.files:
            print(path)
        if installed.replaced:
            print(f"note: replaced {', '.join(path.name for path in installed.replaced)}", file=sys.stderr)
        point = folder.record().spec.point
        name, kind = install_name or point.library.model, "CRF" if point.hyperparameters.crf_layer else "REG"
        if missed := folder.metrics().validation.missed:
            print(f"note: on its validation reads this model {missed}", file=sys.stderr)
        without = "" if point.library.barcodes else "\nThis library names no barcode, so WHITELIST has none to correct."
        print(
            f"Next, where {install_into} is the folder models/ of tranquillyzer's checkout:\n"
            f"  tranquillyzer annotate-reads OUTPUT_DIR WHITELIST --model-name {name} --model-type {kind} \\\n"
            f"    --seq-order-file {installed.files[-1].resolve()}{without}",
            file=sys.stderr,
        )
