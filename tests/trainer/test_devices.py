"""Several devices for one run: what one device would have computed, side by side."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.python.framework import kernels

from readlabel.messages import Hyperparameters, Library, TrainingOptions
from readlabel.model import network as network_module
from readlabel.model.lstm import CudnnCell
from readlabel.trainer.adam import Adam
from readlabel.trainer.failures import RunFailed
from readlabel.trainer.machine import claim_device
from readlabel.trainer.memory import Footprint
from readlabel.trainer.steps import Judge, Stepper


def test_two_devices_give_the_update_of_one(
    read_files: tuple[Path, Path], tiny: Hyperparameters, tmp_path: Path
) -> None:
    program = Path(__file__).with_name("two_devices.py")
    point = tiny.model_copy(update={"lr_schedule": "constant"})
    command = [sys.executable, "-W", "ignore", str(program), str(read_files[0]), str(tmp_path / "checkpoints")]
    done = subprocess.run([*command, point.model_dump_json()], capture_output=True, text=True, check=True, timeout=300)
    found = json.loads(done.stdout)
    assert max(found["frozen, against the whole batch"].values()) < 2e-6
    assert max(found["batch norm and dropout, against the same three parts"].values()) < 2e-6
    assert found["copies are equal"]
    # A checkpoint of two devices is one: another worker goes on with it on a single one.
    first, second = found["losses"]
    assert second < first


def test_the_check_of_a_device_passes_on_a_cpu_and_names_a_gpu_that_is_not_there() -> None:
    command = [sys.executable, "-m", "readlabel.cli", "check-device", "--device"]
    done = subprocess.run([*command, "cpu"], capture_output=True, text=True, check=True, timeout=300)
    lines = done.stdout.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    assert done.stderr == ""
    for part in ("LSTM for GPUs: gradients", "mixed_bfloat16: loss with the CRF", "2 devices for one run"):
        assert any(part in line for line in lines), part
    refused = subprocess.run([*command, "98"], capture_output=True, text=True, check=False, timeout=300)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith("error: TensorFlow finds no GPU 98")


def test_a_gpu_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # claiming sets it; given back after the test
    with pytest.raises(RunFailed, match=r"finds no GPU 98\+99") as caught:
        claim_device("98+99", 0)
    assert caught.value.failure.reason == "DEVICE"


@pytest.mark.parametrize(
    "changes",
    [{}, {"attention_heads": 2, "crf_layer": False, "precision": "mixed_bfloat16"}],
    ids=["default", "attention, softmax, bfloat16"],
)
def test_no_operation_of_training_or_prediction_lacks_a_gpu_kernel(
    changes: dict[str, object], tiny: Hyperparameters, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_module, "make_cell", lambda inputs, units, name, _dtype: CudnnCell(inputs, units, name))
    point = Hyperparameters.model_validate(tiny.model_dump() | changes)
    network = network_module.Network.build(point, library, TrainingOptions())
    adam, footprint = Adam(network.trainable_variables), Footprint.of(point, len(network.labels))
    stepper = Stepper(network, adam, footprint, 0, on_parts=[].append)
    # What TensorFlow itself was built for: a GPU on Linux.
    device = "GPU" if tf.test.is_built_with_cuda() else "CPU"
    for graph in (stepper._update, Judge(network)._graph, network.label_graph):
        lacking = {node.op for node in _nodes(graph) if not _has_kernel(node, device)}
        assert not lacking


def _nodes(graph: Any) -> Iterator[Any]:
    """Every operation of a function and of those that it calls; strings stay on the CPU."""
    definition = graph.get_concrete_function().graph.as_graph_def()
    functions = {function.signature.name for function in definition.library.function}
    for nodes in (definition.node, *(function.node_def for function in definition.library.function)):
        yield from (
            node for node in nodes if node.op not in functions and node.attr["dtype"].type != tf.string.as_datatype_enum
        )


def _has_kernel(node: Any, device: str) -> bool:
    """Whether a kernel is registered for the operation with its types."""
    return any(
        kernel.device_type in (device, "DEFAULT")
        and all(
            not node.attr[limit.name].type or node.attr[limit.name].type in limit.allowed_values.list.type
            for limit in kernel.constraint
        )
        for kernel in kernels.get_registered_kernels_for_op(node.op).kernel
    )
