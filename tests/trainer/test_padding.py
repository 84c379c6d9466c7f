"""An exported model has to be as good where tranquillyzer shows it the padding behind a read."""

from __future__ import annotations

from pathlib import Path

from readlabel.evaluation import score
from readlabel.messages import Attempt, GridPoint, Hyperparameters, TrainingOptions
from readlabel.model.network import Network
from readlabel.model.predict import predict
from readlabel.reads.parquet import read_reads
from readlabel.simulator.parameters import SimulationParameters, Stream
from readlabel.simulator.write import write_simulated
from readlabel.tables import read_library_row
from readlabel.trainer.channel import Control
from readlabel.trainer.checkpoint import Checkpoint, CheckpointFolder, Progress
from readlabel.trainer.split import split_by_pairs
from readlabel.trainer.training import Listener, Training

ORDERS = Path(__file__).resolve().parents[2] / "assets" / "training_seq_orders.tsv"
LIBRARY = read_library_row(ORDERS, "10x3p_sc_ont")
POINT = Hyperparameters(
    batch_size=16,
    train_fraction=1.0,
    embedding_dim=16,
    conv_layers=2,
    conv_filters=32,
    conv_kernel_size=15,
    lstm_units=32,
    dropout_rate=0.1,
    regularization=1e-4,
    learning_rate=0.008,
    lr_schedule="warmup_cosine",
    warmup_steps=20,
    epochs=4,
)


def test_accuracy_in_tranquillyzer_is_within_three_tenths_of_a_point_of_ours(tmp_path: Path) -> None:
    paths: dict[Stream, Path] = {"training": tmp_path / "train.parquet", "validation": tmp_path / "held_out.parquet"}
    for stream, molecules in (("training", 400), ("validation", 150)):
        write_simulated(paths[stream], LIBRARY, SimulationParameters(), seed=1, stream=stream, num_reads=molecules)
    reads, held_out = read_reads(paths["training"]), read_reads(paths["validation"])
    point = GridPoint(hyperparameters=POINT, library=LIBRARY, options=TrainingOptions(seed=1))
    network = Network.build(POINT, LIBRARY, point.options)
    folder = CheckpointFolder(tmp_path / "checkpoints", "run")
    start = Checkpoint(Progress(run_id="run", attempts=(Attempt(number=1),)), {})
    listener = Listener(on_epoch=lambda _history: None, on_note=lambda _text: None)
    split = split_by_pairs(reads.pair, POINT.train_fraction, 1)
    Training(network, point, reads, split, folder, start, listener).run(Control(), checkpoint_seconds=600)
    folder.close()
    ours, theirs = (
        score(LIBRARY.labels, held_out.offsets, held_out.labels, predict(network, held_out, padding=padding)).accuracy
        for padding in ("none", "tranquillyzer")
    )
    assert ours > 0.9
    assert abs(ours - theirs) < 0.003
