"""Two small tables to start from: the demonstration's library and a grid of four combinations.

They are text in the code, so that an installed package has them without the repository's ``assets``.
"""

from __future__ import annotations

from pathlib import Path

from readlabel.artifacts.atomic import write_text
from readlabel.messages import OutputError

_LIBRARY = (
    "10x3p_sc_ont",
    '"5p,CBC,UMI,polyT,cDNA,3p"',
    '"TCTACACGACGCTCTTCCGATCT,N16,N12,T,NN,CCCATGTACTCTGCGTTGATACCACTGCTT"',
    "CBC",
    "UMI",
    "rev",
)
_TABLES = {
    "training_seq_orders.tsv": "\t".join(_LIBRARY) + "\n",
    "training_params.tsv": """\
parameter	10x3p_sc_ont
batch_size	32
train_fraction	0.8
vocab_size	5
embedding_dim	64
conv_layers	2
conv_filters	32,64
conv_kernel_size	15
lstm_layers	1
lstm_units	64
bidirectional	TRUE
crf_layer	TRUE,FALSE
attention_heads	0
dropout_rate	0.2
regularization	0.0001
learning_rate	0.008
epochs	4
lr_schedule	warmup_cosine
warmup_steps	50
""",
}


def write_example(folder: Path) -> list[Path]:
    """Write the tables into a folder, which is made if need be.

    Returns:
        The files written.

    Raises:
        OutputError: one of them is there already, or cannot be written.
    """
    paths = {folder / name: text for name, text in _TABLES.items()}
    for path in paths:
        if path.exists():
            raise OutputError(f"{path}: is there already, and may hold your own rows; give another folder")
    for path, text in paths.items():
        write_text(path, text)
    return list(paths)
