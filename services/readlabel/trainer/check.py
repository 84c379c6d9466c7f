"""Does a device compute what the CPU computes? A device in, findings out: each a figure, and what it may be at most.

The CPU's numbers are held to float64, Keras and tensorflow-addons by the tests; what a GPU does differently (cuDNN's
LSTM, the CRF that XLA compiles for it, reduced precision, several GPUs for one run) is compared with them here, on the
machine that has it. On a CPU the same comparisons run as far as they go, several devices as logical ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from readlabel.messages import Hyperparameters, Library, Segment, TrainingOptions
from readlabel.model.lstm import Cell, CudnnCell, FusedCell, run_lstm
from readlabel.model.network import Network
from readlabel.trainer.adam import Adam
from readlabel.trainer.batches import Batch
from readlabel.trainer.machine import claim_device
from readlabel.trainer.memory import Footprint
from readlabel.trainer.steps import Stepper, StepResult

_LIBRARY = Library(
    model="check", segments=tuple(Segment(name=name, pattern="NN") for name in ("a", "b", "c", "d")), strand="fwd"
)
_POINT = Hyperparameters(
    embedding_dim=16,
    conv_layers=2,
    conv_filters=32,
    conv_kernel_size=15,
    lstm_units=32,
    attention_heads=2,
    dropout_rate=0,
    regularization=1e-4,
)
_OPTIONS = TrainingOptions(seed=1)
_ROWS, _TIME, _UPDATES = 8, 192, 12
_REDUCED = 0.05
"""bfloat16 keeps 8 bits of a number."""


@dataclass(frozen=True)
class Finding:
    """One comparison.

    Attributes:
        what: was compared.
        figure: what came out.
        limit: what it may be at most.
    """

    what: str
    figure: float
    limit: float

    @property
    def good(self) -> bool:
        """Whether the device may be trained on, as far as this goes; NaN is not good."""
        return bool(self.figure <= self.limit)


def check_device(device: str) -> Iterator[Finding]:
    """Compare a device with the CPU.

    Args:
        device: ``cpu``, or a GPU's UUID or index; several with ``+`` between them.

    Raises:
        RunFailed: DEVICE when there is no such device.
    """
    if device == "cpu":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    claim_device(device, 0)
    names = [logical.name for logical in tf.config.list_logical_devices("CPU" if device == "cpu" else "GPU")]
    yield from _lstm(names[0])
    yield from _network(names[-1])
    yield from _updates(names)


def _lstm(device: str) -> Iterator[Finding]:
    """Keras' layer, which calls cuDNN on a GPU, against the fused kernel of the CPU."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=(_ROWS, _TIME, 16)).astype(np.float32)
    visible = np.linspace(1, _TIME, _ROWS).astype(np.int32)
    weights = [random.normal(0, 0.2, shape) for shape in ((16, 128), (32, 128), (128,))]
    results = []
    for place, kind in (("CPU:0", FusedCell), (device, CudnnCell)):
        with tf.device(place):
            cells: list[Cell] = [kind(16, 32, name) for name in ("forward", "backward")]
            variables = [variable for cell in cells for variable in (cell.kernel, cell.recurrent_kernel, cell.bias)]
            for variable, value in zip(variables, weights * 2, strict=True):
                variable.assign(value)
            results.append(_differentiated_lstm(cells, variables, inputs, visible))
    values, gradients = (_apart([one[part]], [other[part]]) for one, other in [results] for part in (0, 1))
    yield Finding("LSTM for GPUs: values", values, 1e-4)
    yield Finding("LSTM for GPUs: gradients", gradients, 1e-4)


def _differentiated_lstm(
    cells: Sequence[Cell], variables: Sequence[tf.Variable], inputs: NDArray[np.float32], visible: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    @tf.function(autograph=False)
    def graph() -> tuple[tf.Tensor, list[tf.Tensor]]:
        seen = tf.sequence_mask(visible, _TIME, tf.float32)[..., None]
        with tf.GradientTape() as tape:
            outputs = run_lstm(cells, tf.constant(inputs), tf.constant(visible)) * seen
            total = tf.reduce_sum(tf.square(outputs))
        return outputs, tape.gradient(total, variables)

    outputs, gradients = graph()
    return outputs.numpy(), np.concatenate([gradient.numpy().ravel() for gradient in gradients])


def _network(device: str) -> Iterator[Finding]:
    """Loss, gradients and labels of the whole network, in each precision."""
    expected = _differentiated_network("CPU:0", _POINT)
    for precision, limit in (("float32", 1e-3), ("mixed_bfloat16", _REDUCED), ("mixed_float16", _REDUCED)):
        point = Hyperparameters.model_validate(_POINT.model_dump() | {"precision": precision})
        losses, gradients, labels = _differentiated_network(device, point)
        yield Finding(f"{precision}: loss with the CRF", _apart([losses], [expected[0]]), limit)
        yield Finding(f"{precision}: gradients", _apart(gradients, expected[1]), limit)
        yield Finding(f"{precision}: share of other labels", float(np.mean(labels != expected[2])), limit)


def _differentiated_network(
    device: str, point: Hyperparameters
) -> tuple[NDArray[np.float32], list[NDArray[np.float32]], NDArray[np.uint8]]:
    batch = _batch()
    with tf.device(device):
        network = Network.build(point, _LIBRARY, _OPTIONS)
        # Without this an untrained network prefers one label everywhere, and any fault would look right.
        network.weights["time_dense/kernel"].assign(30 * network.weights["time_dense/kernel"])

        @tf.function(autograph=False)
        def graph() -> tuple[tf.Tensor, list[tf.Tensor], tf.Tensor]:
            with tf.GradientTape() as tape:
                emissions = network.emissions(
                    batch.tokens, batch.lengths, batch.visible, training=False, batch_statistics=True
                )
                losses = network.loss(emissions, batch.labels, batch.lengths)
            gradients = tape.gradient(losses, network.trainable_variables)
            return losses, gradients, network.decode(emissions, batch.lengths)

        losses, gradients, labels = graph()
    return losses.numpy(), [gradient.numpy() for gradient in gradients], labels.numpy()


def _updates(devices: Sequence[str]) -> Iterator[Finding]:
    """Training steps on the device; on several of them against the same parts of a batch on one."""
    alone = _trained(tf.distribute.OneDeviceStrategy(devices[0]), parts=len(devices))
    yield Finding(f"loss after {_UPDATES} updates ÷ before", alone[-1].loss / alone[0].loss, 0.9)
    if len(devices) > 1:
        together = _trained(tf.distribute.MirroredStrategy(devices), parts=1)
        for field in ("loss", "gradient_norm"):
            one, other = (np.array([getattr(result, field) for result in results]) for results in (alone, together))
            yield Finding(f"{len(devices)} devices for one run: {field} of each update", _apart([other], [one]), 1e-3)


def _trained(strategy: tf.distribute.Strategy, parts: int) -> list[StepResult]:
    batch, footprint = _batch(), Footprint.of(_POINT, len(_LIBRARY.labels))
    with strategy.scope():
        network = Network.build(_POINT, _LIBRARY, _OPTIONS)
        limit = footprint.bytes(_ROWS // parts, _TIME) if parts > 1 else 0
        stepper = Stepper(network, Adam(network.trainable_variables), footprint, limit, on_parts=lambda _text: None)
        return [stepper.step(batch, number, 0.01) for number in range(1, _UPDATES + 1)]


def _batch() -> Batch:
    """Random reads whose labels follow from their bases."""
    lengths = np.linspace(1, _TIME, _ROWS).astype(np.int32)
    tokens = np.random.default_rng(1).integers(1, 5, (_ROWS, _TIME)).astype(np.uint8)
    tokens[np.arange(_TIME) >= lengths[:, None]] = 0
    return Batch(tokens, (np.maximum(tokens, 1) - 1).astype(np.uint8), lengths, lengths)


def _apart(found: Sequence[NDArray[np.float32]], expected: Sequence[NDArray[np.float32]]) -> float:
    """The largest difference, relative to the largest value."""
    largest = max(float(np.abs(array).max()) for array in expected)
    return max(float(np.abs(one - other).max()) for one, other in zip(found, expected, strict=True)) / largest
