"""Weight files: a network's arrays in HDF5, at the width that tranquillyzer gives its last layer.

A network enters and arrays in file order leave, and back. Both kinds of Keras file are read by the order of their
arrays alone, as tranquillyzer reads them; no object in a file is ever built, so a file from anywhere can be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import h5py
import numpy as np

from readlabel.messages import Hyperparameters, InputError, TrainingOptions
from readlabel.model.architecture import WeightSpec, weight_specs
from readlabel.model.network import Network

KERAS_VERSION = "2.15.0"
PINNED_OFF = -1e4
"""Score of an output without a label: no sum of other scores makes a base prefer it."""

_BOUNDARIES = "boundary_potentials"


def file_specs(network: Network) -> tuple[WeightSpec, ...]:
    """The network's arrays as its file holds them: as wide as the library has segments, with tf2crf's dense layer."""
    return _specs(network.hyperparameters, network.num_outputs)


def file_arrays(network: Network) -> dict[str, np.ndarray]:
    """A value for each of `file_specs`."""
    values = {name: variable.numpy() for name, variable in network.weights.items()}
    more = network.num_outputs - len(network.labels)
    values["time_dense/kernel"] = np.pad(values["time_dense/kernel"], ((0, 0), (0, more)))
    values["time_dense/bias"] = np.pad(values["time_dense/bias"], (0, more), constant_values=PINNED_OFF)
    if network.hyperparameters.crf_layer:
        for name in ("crf/transitions", *(name for name in values if "boundary" in name)):
            values[name] = np.pad(values[name], (0, more))
        # tf2crf puts a dense layer of its own before the CRF. Two dense layers in a row are one: ours is the first.
        values["crf/dense/kernel"] = np.eye(network.num_outputs, dtype=np.float32)
        values["crf/dense/bias"] = np.zeros(network.num_outputs, np.float32)
    return {spec.name: values[spec.name] for spec in file_specs(network)}


def write(path: Path, specs: Sequence[WeightSpec], arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays of a network with a CRF.

    Boundary potentials go into a group of their own: a loader that does not know them meets a layer too many and
    refuses the file, instead of leaving them out.
    """
    groups = {"model": [spec.name for spec in specs if "boundary" not in spec.name]}
    if len(groups["model"]) < len(specs):
        groups[_BOUNDARIES] = [spec.name for spec in specs if "boundary" in spec.name]
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in groups]
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = KERAS_VERSION.encode()
        for group_name, members in groups.items():
            group = file.create_group(group_name)
            group.attrs["weight_names"] = [f"{name}:0".encode() for name in members]
            for name in members:
                group[f"{name}:0"] = arrays[name]


def read(path: Path, hyperparameters: Hyperparameters, labels: Sequence[str], options: TrainingOptions) -> Network:
    """Build a network from a file's arrays.

    Raises:
        InputError: the file is missing, is no HDF5, or does not hold the arrays of such a network.
    """
    try:
        with h5py.File(path, "r") as file:
            whole_model = "model_weights" in file
            root = file["model_weights"] if whole_model else file
            groups = [root[_decoded(name)] for name in root.attrs["layer_names"]]
            arrays = [np.asarray(group[_decoded(name)]) for group in groups for name in group.attrs["weight_names"]]
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, KeyError) as error:
        raise InputError(f"{path}: is no Keras weight file: {error}") from error

    def expected_for(outputs: int) -> list[WeightSpec]:
        specs = _specs(hyperparameters, outputs)
        return list(_layer_by_layer(specs) if whole_model else specs)

    found = [array.shape for array in arrays]
    # The last layer may be wider than there are labels; where its bias stands does not depend on how wide it is.
    place = next(i for i, spec in enumerate(expected_for(1)) if spec.name == "time_dense/bias")
    outputs = max(found[place][0], len(labels)) if place < len(found) and found[place] else len(labels)
    expected = expected_for(outputs)
    if found != [spec.shape for spec in expected]:
        raise InputError(
            f"{path}: its arrays are not those of the network that its parameters describe: found "
            f"{len(found)} arrays, expected {len(expected)}; {_first_difference(expected, found)}"
        )
    network = Network(hyperparameters, labels, outputs, options)
    _assign(network, {spec.name: array for spec, array in zip(expected, arrays, strict=True)})
    return network


def _specs(hyperparameters: Hyperparameters, outputs: int) -> tuple[WeightSpec, ...]:
    """Specs at the file's width; tf2crf's dense layer follows its transitions, boundary potentials come last."""
    specs = weight_specs(hyperparameters, outputs)
    if not hyperparameters.crf_layer:
        return specs
    dense = (
        WeightSpec("crf/dense/kernel", (outputs, outputs), "glorot"),
        WeightSpec("crf/dense/bias", (outputs,), "zeros"),
    )
    place = next(i for i, spec in enumerate(specs) if spec.name == "crf/transitions") + 1
    boundaries = [spec for spec in specs if "boundary" in spec.name]
    others = [spec for spec in specs[place:] if spec not in boundaries]
    return (*specs[:place], *dense, *others, *boundaries)


def _layer_by_layer(specs: Sequence[WeightSpec]) -> Iterator[WeightSpec]:
    """The order of a whole Keras model: each layer's trainable arrays, then its moving statistics."""
    layer_names = [name for name, _ in groupby(spec.name.split("/")[0] for spec in specs if spec.trainable)]
    for layer in layer_names:
        yield from (spec for spec in specs if spec.name.split("/")[0] == layer)


def _assign(network: Network, arrays: dict[str, np.ndarray]) -> None:
    """Set a network's weights from a file's arrays: fold tf2crf's dense layer into ours, leave pinned outputs out."""
    kept = len(network.labels)
    kernel, bias = arrays["time_dense/kernel"], arrays["time_dense/bias"]
    if network.hyperparameters.crf_layer:
        second, shift = arrays.pop("crf/dense/kernel"), arrays.pop("crf/dense/bias")
        if not np.array_equal(second, np.eye(len(second))) or shift.any():
            kernel, bias = kernel @ second, bias @ second + shift
        arrays["crf/transitions"] = arrays["crf/transitions"][:kept, :kept]
        for name in arrays:
            if "boundary" in name:
                arrays[name] = arrays[name][:kept]
    arrays["time_dense/kernel"], arrays["time_dense/bias"] = kernel[:, :kept], bias[:kept]
    for name, array in arrays.items():
        network.weights[name].assign(array)


def _first_difference(expected: Sequence[WeightSpec], found: Sequence[tuple[int, ...]]) -> str:
    for place, spec in enumerate(expected):
        if place >= len(found) or found[place] != spec.shape:
            shape = found[place] if place < len(found) else "nothing"
            return f"array {place} is {shape} instead of {spec.name} {spec.shape}"
    return f"array {len(expected)} is one too many"


def _decoded(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
