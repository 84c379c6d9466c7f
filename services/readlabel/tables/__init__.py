"""The two tables a user writes → messages. Every problem of a table is found before any is reported."""

from readlabel.tables.example import write_example
from readlabel.tables.grid import expand_grid, grid_doubts
from readlabel.tables.seq_orders import format_row, read_library_row, read_seq_orders
from readlabel.tables.training_params import ParameterGrid, read_training_params, read_value

__all__ = [
    "ParameterGrid",
    "expand_grid",
    "format_row",
    "grid_doubts",
    "read_library_row",
    "read_seq_orders",
    "read_training_params",
    "read_value",
    "write_example",
]
