"""Exported files against the network that tranquillyzer's loader rebuilds, and back into one of ours."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tensorflow as tf

from readlabel.artifacts import names
from readlabel.messages import Hyperparameters, InputError, OutputError
from readlabel.model import Batch, Network
from readlabel.model.export import export, load, obstacles, table_rows

KINDS: list[dict[str, object]] = [
    {},
    {"bidirectional": False, "lstm_layers": 2, "conv_layers": 1},
    {"lstm_layers": 2, "attention_heads": 4, "conv_layers": 3},
    {"conv_layers": 5, "vocab_size": 6},
    {"crf_layer": False, "conv_layers": 3},
    {"crf_layer": False, "bidirectional": False, "conv_layers": 1},
    {"crf_layer": False, "lstm_layers": 2, "attention_heads": 4, "conv_layers": 5},
]


def named(kind: dict[str, object]) -> str:
    return ",".join(f"{name}={value}" for name, value in kind.items()) or "default"


def reads(count: int = 3, time: int = 40) -> np.ndarray:
    """Tokens with different numbers of trailing zeros, all of them shown to the network."""
    tokens = np.random.default_rng(5).integers(1, 6, (count, time)).astype(np.uint8)
    for row in range(count):
        tokens[row, time - 7 * row :] = 0
    return tokens


def our_labels(network: Network, tokens: np.ndarray) -> list[list[str]]:
    """Labels when the whole width is visible and decoded, as tranquillyzer does it."""
    full = np.full(len(tokens), tokens.shape[1], np.int32)
    found = network.decode(network.emissions(*Batch(tokens, full, full), training=False), full)
    return [[network.labels[label] for label in row] for row in found.numpy()]


def their_labels(
    folder: Path, tokens: np.ndarray, num_segments: int, rebuild: Callable[..., tf.keras.Model]
) -> list[list[str]]:
    """What tranquillyzer makes of the files: it parses parameters, rebuilds the network, and decodes by its rules."""
    text = json.loads((folder / names.PARAMS).read_text())
    assert all(isinstance(value, str) for value in text.values())
    binarizer = pickle.loads((folder / names.LABEL_BINARIZER).read_bytes())
    if text["crf_layer"] == "TRUE":
        rows = {name: parsed(value) for name, value in text.items()}
        hyperparameters = Hyperparameters.model_validate(rows | {"vocab_size": rows["vocab_size"] - 1})
        model = rebuild(hyperparameters, num_segments)
        model.load_weights(folder / names.WEIGHTS)
        return [list(binarizer.classes_[row]) for row in model(tokens).numpy()]
    model = tf.keras.models.load_model(folder / names.WEIGHTS)
    return [list(binarizer.inverse_transform(row)) for row in model(tokens).numpy()]


def parsed(value: str) -> bool | int | float | str:
    """tranquillyzer's reading of a parameter."""
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    if value.isdigit():
        return int(value)
    return float(value) if value.replace(".", "", 1).isdigit() else value


@pytest.mark.parametrize("kind", KINDS, ids=named)
def test_tranquillyzer_loads_the_files_and_predicts_the_same(
    make_network: Any, shake: Any, tranquillyzer_network: Any, tmp_path: Path, kind: dict[str, object]
) -> None:
    network = shake(make_network(**kind))
    assert export(network, tmp_path)
    tokens = reads()
    ours = our_labels(network, tokens)
    assert len({label for row in ours for label in row}) > 1
    assert their_labels(tmp_path, tokens, 4, tranquillyzer_network) == ours


@pytest.mark.parametrize("crf_layer", [True, False])
@pytest.mark.parametrize("segments", ["5p cDNA 5p UMI", "5p cDNA", "5p cDNA cDNA", "cDNA"])
def test_repeated_and_few_segments_load_too(
    make_network: Any, shake: Any, tranquillyzer_network: Any, tmp_path: Path, segments: str, crf_layer: bool
) -> None:
    network = shake(make_network(segments, crf_layer=crf_layer))
    assert export(network, tmp_path)
    tokens = reads()
    ours = our_labels(network, tokens)
    assert their_labels(tmp_path, tokens, len(segments.split()), tranquillyzer_network) == ours
    assert our_labels(load(tmp_path), tokens) == ours


@pytest.mark.parametrize("kind", [*KINDS, {"boundary_potentials": True}], ids=named)
def test_a_network_read_back_is_the_same(
    make_network: Any, shake: Any, tmp_path: Path, kind: dict[str, object]
) -> None:
    network = shake(make_network("3p 5p UMI cDNA 5p", **kind))
    export(network, tmp_path)
    again = load(tmp_path)
    assert again.labels == ("3p", "5p", "UMI", "cDNA")
    assert again.num_outputs == 5
    assert again.hyperparameters == network.hyperparameters
    for name, variable in network.weights.items():
        np.testing.assert_array_equal(again.weights[name], variable)


def test_a_file_that_tranquillyzer_trained_predicts_the_same(
    make_network: Any, tranquillyzer_network: Any, tmp_path: Path
) -> None:
    network = make_network()
    export(network, tmp_path)
    model = tranquillyzer_network(network.hyperparameters, 4)
    random = np.random.default_rng(2)
    for weight in model.weights:
        if weight.shape.rank:
            noise = random.normal(0, 0.4, weight.shape)
            weight.assign_add(np.abs(noise) if "variance" in weight.name else noise)
    model.save_weights(tmp_path / names.WEIGHTS, save_format="h5")
    tokens = reads()
    theirs = their_labels(tmp_path, tokens, 4, tranquillyzer_network)
    assert our_labels(load(tmp_path), tokens) == theirs


def test_boundary_potentials_are_not_for_tranquillyzer(
    make_network: Any, tranquillyzer_network: Any, tmp_path: Path
) -> None:
    network = make_network(boundary_potentials=True)
    assert not export(network, tmp_path)
    assert obstacles(network) == ("tranquillyzer's CRF has no boundary potentials",)
    # Its loader says so itself, instead of predicting something else.
    with pytest.raises(ValueError, match="Layer count mismatch"):
        tranquillyzer_network(network.hyperparameters, 4).load_weights(tmp_path / names.WEIGHTS)


def test_parameters_are_the_tables_rows(make_network: Any, tmp_path: Path) -> None:
    export(make_network(learning_rate=0.00001, regularization=1e-4, dropout_rate=0.35, train_fraction=1.0), tmp_path)
    rows = json.loads((tmp_path / names.PARAMS).read_text())
    assert list(rows) == list(Hyperparameters.model_fields)[:16]
    assert rows["learning_rate"] == "0.00001"
    assert rows["regularization"] == "0.0001"
    assert rows["train_fraction"] == "1"
    assert rows["vocab_size"] == "6"  # the embedding's rows
    assert rows["bidirectional"] == "TRUE"
    assert table_rows(Hyperparameters(lr_schedule="constant"))["lr_schedule"] == "constant"


def test_exported_files_do_not_depend_on_when_they_are_written(make_network: Any, tmp_path: Path) -> None:
    for crf_layer in (True, False):
        folders = [tmp_path / f"{crf_layer}-{number}" for number in (1, 2)]
        for folder in folders:
            export(make_network(crf_layer=crf_layer), folder)
        for name in (names.WEIGHTS, names.PARAMS, names.LABEL_BINARIZER):
            first, second = ((folder / name).read_bytes() for folder in folders)
            assert first == second


def replace_with_text(path: Path) -> None:
    path.write_text("no such thing")


def drop_an_array(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        group = file["model"]
        group.attrs["weight_names"] = group.attrs["weight_names"][:-1]


def claim_more_layers(path: Path) -> None:
    rows = json.loads(path.read_text())
    path.write_text(json.dumps(rows | {"conv_layers": "4"}))


def claim_nonsense(path: Path) -> None:
    rows = json.loads(path.read_text())
    path.write_text(json.dumps(rows | {"lstm_units": "many"}))


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        (names.WEIGHTS, Path.unlink, "no such file"),
        (names.WEIGHTS, replace_with_text, "is no Keras weight file"),
        (names.WEIGHTS, drop_an_array, "found 23 arrays, expected 24"),
        (names.PARAMS, Path.unlink, "cannot be read"),
        (names.PARAMS, replace_with_text, "holds no hyperparameters"),
        (names.PARAMS, claim_more_layers, "its arrays are not those of the network"),
        (names.PARAMS, claim_nonsense, "lstm_units"),
        (names.LABEL_BINARIZER, Path.unlink, names.LABEL_BINARIZER),
    ],
)
def test_files_that_do_not_fit_are_refused(
    make_network: Any, tmp_path: Path, name: str, damage: Callable[[Path], None], message: str
) -> None:
    export(make_network(), tmp_path)
    damage(tmp_path / name)
    with pytest.raises(InputError, match=message):
        load(tmp_path)


def test_a_folder_that_cannot_be_made_is_an_error(make_network: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        export(make_network(), tmp_path / "file" / "run")
