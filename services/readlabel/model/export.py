"""A network's three files, as tranquillyzer lays them out and loads them: written from a network, read back into one.

* weights, HDF5. With a CRF: arrays only, in the order of `readlabel.model.architecture`, the CRF's own after the dense
  layer. Without: a whole Keras model of stock layers, which opens by itself.
* parameters, JSON: the rows of the parameter table as text.
* labels, a pickled scikit-learn LabelBinarizer.

tranquillyzer gives its last layer one output per segment of the library's row, so a repeated segment leaves outputs
without a label. They exist in files only, pinned to a score that no base prefers.
"""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from readlabel.artifacts import names
from readlabel.artifacts.atomic import atomic_path, write_text
from readlabel.messages import OPTIONAL_ROWS, Hyperparameters, InputError, Problem, TrainingOptions, as_written
from readlabel.model import weight_file
from readlabel.model.keras_twin import keras_twin
from readlabel.model.network import Network
from readlabel.model.weight_file import file_arrays, file_specs
from readlabel.reads.pickles import load_label_binarizer

if TYPE_CHECKING:
    from sklearn.preprocessing import LabelBinarizer


def obstacles(network: Network) -> tuple[str, ...]:
    """Why tranquillyzer cannot load the network's files: one sentence each, none when it can."""
    found = []
    hp = network.hyperparameters
    if hp.crf_layer and hp.boundary_potentials:
        found.append("tranquillyzer's CRF has no boundary potentials")
    if hp.lstm_layers > 1 and hp.lstm_units == 1:
        found.append("tranquillyzer halves lstm_units after the first LSTM layer, and 1 leaves it none")
    return tuple(found)


def export(network: Network, folder: Path) -> bool:
    """Write a network's three files, named as in a run's folder.

    Returns:
        Whether tranquillyzer loads them; `obstacles` says why not.

    Raises:
        OutputError: the folder cannot be written.
    """
    specs = file_specs(network)
    arrays = file_arrays(network)
    with atomic_path(folder / names.WEIGHTS) as path:
        if network.hyperparameters.crf_layer:
            weight_file.write(path, specs, arrays)
        else:
            model = keras_twin(network.hyperparameters, specs, arrays)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # HDF5 is Keras' older format, and the one that tranquillyzer opens
                model.save(path, save_format="h5", include_optimizer=False)
    write_text(folder / names.PARAMS, json.dumps(table_rows(network.hyperparameters), indent=4))
    with atomic_path(folder / names.LABEL_BINARIZER) as path:
        path.write_bytes(pickle.dumps(_binarizer(network.labels), protocol=4))
    return not obstacles(network)


def load(folder: Path) -> Network:
    """Read a network back from its three files, tranquillyzer's own included. It computes in float32.

    Raises:
        InputError: a file is missing, or its content does not fit the others.
    """
    labels = load_label_binarizer(folder / names.LABEL_BINARIZER)
    hyperparameters = _hyperparameters(folder / names.PARAMS)
    return weight_file.read(folder / names.WEIGHTS, hyperparameters, labels, TrainingOptions())


def table_rows(hyperparameters: Hyperparameters) -> dict[str, str]:
    """Hyperparameters as the text of a parameter table, which is what tranquillyzer's parameter files hold.

    ``vocab_size`` counts the embedding's rows there. A row that tranquillyzer's tables lack is given only where it
    differs from its default.
    """
    defaults = Hyperparameters()
    rows = {}
    for name in Hyperparameters.model_fields:
        value = getattr(hyperparameters, name)
        if name in OPTIONAL_ROWS and value == getattr(defaults, name):
            continue
        rows[name] = as_written(value + 1 if name == "vocab_size" else value)
    return rows


def _hyperparameters(path: Path) -> Hyperparameters:
    """Hyperparameters from a parameter file: text or JSON's own types; rows that are no hyperparameter are ignored."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        given = {name: rows[name] for name in Hyperparameters.model_fields if name in rows}
        given["vocab_size"] = int(given["vocab_size"]) - 1
        # Precision is how a network was trained: its file holds float32, and so does tranquillyzer's use of it.
        given.pop("precision", None)
        return Hyperparameters.model_validate(given)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        problems = [Problem(f"{path}, {'.'.join(map(str, item['loc']))}", item["msg"]) for item in error.errors()]
        raise InputError(problems) from error
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path}: holds no hyperparameters: {error}") from error


def _binarizer(labels: tuple[str, ...]) -> LabelBinarizer:
    """A binarizer fitted on the labels.

    With one or two classes scikit-learn would read a network's scores as one column with a threshold; marked as having
    several classes, it takes each base's best score, as it does for longer lists.
    """
    # It is slow to import, and whoever only loads a network needs none of it.
    from sklearn.preprocessing import LabelBinarizer

    binarizer = LabelBinarizer().fit(list(labels))
    binarizer.y_type_ = "multiclass"
    return binarizer
