"""Learning rates and early stopping, against Keras' callbacks."""

from __future__ import annotations

import doctest
from types import SimpleNamespace

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from readlabel.messages import Hyperparameters
from readlabel.trainer import schedule
from readlabel.trainer.schedule import Watch, after_epoch, learning_rate


def test_the_docstring_example_says_what_happens() -> None:
    assert doctest.testmod(schedule) == (0, 2)


class _FakeModel:
    """What Keras' callbacks touch of a model: a rate, weights, and the wish to stop."""

    def __init__(self, rate: float) -> None:
        self.optimizer = SimpleNamespace(lr=tf.Variable(rate, dtype=tf.float64))
        self.stop_training = False

    def get_weights(self) -> list[float]:
        return []

    def set_weights(self, weights: list[float]) -> None:
        del weights


_EPOCH = st.tuples(st.sampled_from([3.0, 2.0, 1.0]), st.sampled_from([0.9, 0.90005, 0.95]))
"""Loss and accuracy; two accuracies closer together than the plateau rule counts."""


@settings(max_examples=60, deadline=None)
@given(
    epochs=st.lists(
        st.tuples(st.sampled_from([3.0, 2.0, 1.0]), st.sampled_from([0.9, 0.90005, 0.95])), min_size=1, max_size=12
    ),
    crf=st.booleans(),
    rate=st.sampled_from([1e-3, 3e-5, 5e-6]),
)
def test_plateau_does_what_tranquillyzers_callbacks_do(
    epochs: list[tuple[float, float]], crf: bool, rate: float
) -> None:
    point = Hyperparameters(learning_rate=rate, crf_layer=crf)
    model = _FakeModel(rate)
    slower = tf.keras.callbacks.ReduceLROnPlateau("val_accuracy", factor=0.5, patience=1, min_lr=1e-5, mode="max")
    stopper = tf.keras.callbacks.EarlyStopping("val_loss", patience=1 if crf else 3)
    for callback in (slower, stopper):
        callback.set_model(model)
        callback.on_train_begin()
    watch = Watch()
    for number, (loss, accuracy) in enumerate(epochs):
        for callback in (slower, stopper):
            callback.on_epoch_end(number, {"val_loss": loss, "val_accuracy": accuracy})
        watch = after_epoch(point, watch, number + 1, loss, accuracy)
        assert learning_rate(point, watch, 0, 1) == pytest.approx(float(model.optimizer.lr.numpy()))
        assert watch.stopped == model.stop_training
        assert watch.best_loss == stopper.best
        if watch.stopped:
            break


def test_warmup_cosine_rises_to_its_peak_and_ends_near_zero() -> None:
    point = Hyperparameters(lr_schedule="warmup_cosine", warmup_steps=50, learning_rate=8e-3)
    rates = [learning_rate(point, Watch(), step, 800) for step in range(800)]
    assert max(rates) == rates[49] == pytest.approx(8e-3)
    assert rates[:50] == sorted(rates[:50])
    assert rates[50:] == sorted(rates[50:], reverse=True)
    assert 0 < rates[-1] < 1e-6


def test_a_warmup_longer_than_the_run_still_comes_down_again() -> None:
    point = Hyperparameters(lr_schedule="warmup_cosine", warmup_steps=1000, learning_rate=0.01)
    rates = [learning_rate(point, Watch(), step, 20) for step in range(20)]
    assert max(rates) == pytest.approx(0.01)
    assert rates[-1] < 1e-3


@pytest.mark.parametrize("name", ["constant", "warmup_cosine"])
def test_the_other_schedules_train_every_epoch_and_remember_the_best(name: str) -> None:
    point = Hyperparameters.model_validate({"lr_schedule": name})
    watch = Watch()
    for epoch, loss in enumerate([3.0, 1.0, 2.0, 2.0, 2.0, 2.0], start=1):
        watch = after_epoch(point, watch, epoch, loss, 0.5)
        assert not watch.stopped
    assert watch.best_epoch == 2
    assert watch.rate is None
