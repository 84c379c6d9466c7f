"""How fast to learn at each step, and when to stop: hyperparameters and what the epochs gave in, a learning rate out.

Three schedules, as the hyperparameter ``lr_schedule`` names them:

- ``plateau`` does what tranquillyzer's callbacks do. The rate is halved, down to 1e-5, after an epoch whose internal
  validation accuracy is no better than the best by 1e-4. Training stops after 1 epoch (with a CRF) or 3 in a row
  (without) whose internal validation loss is no better than the best.
- ``constant`` keeps the rate and trains every epoch.
- ``warmup_cosine`` rises linearly over ``warmup_steps``, falls on half a cosine to zero at the last step, and trains
  every epoch: its gain comes with the small rates of the end, so stopping early would throw it away.

With an internal validation the weights of the epoch with the lowest internal validation loss are kept, whatever the
schedule. Without one (train_fraction 1) nothing can be watched: the rate of ``plateau`` stays as it is, every epoch is
trained, and the last weights are kept.
"""

from __future__ import annotations

import math

from readlabel.messages import Hyperparameters, Message

_PLATEAU_FACTOR = 0.5
_PLATEAU_PATIENCE = 1
_PLATEAU_MIN_GAIN = 1e-4
"""Keras' ReduceLROnPlateau asks for this much by default."""
_MIN_RATE = 1e-5
_STOP_PATIENCE_CRF = 1
_STOP_PATIENCE_SOFTMAX = 3


class Watch(Message):
    """What the schedule remembers between epochs; part of a checkpoint.

    Attributes:
        rate: the plateau schedule's rate now; None before its first cut.
        best_accuracy: highest internal validation accuracy, as the plateau rule counts it.
        epochs_without_gain: epochs since then.
        best_loss: lowest internal validation loss.
        best_epoch: the epoch that had it, from 1; 0 before the first.
        epochs_without_best: epochs since then.
        stopped: early stopping has spoken.
    """

    rate: float | None = None
    best_accuracy: float | None = None
    epochs_without_gain: int = 0
    best_loss: float | None = None
    best_epoch: int = 0
    epochs_without_best: int = 0
    stopped: bool = False


def learning_rate(hyperparameters: Hyperparameters, watch: Watch, step: int, total_steps: int) -> float:
    """The rate of one step.

    Args:
        hyperparameters: of the run.
        watch: what the epochs so far gave.
        step: steps taken before this one, from 0.
        total_steps: steps that the run takes when nothing stops it.

    Example:
        >>> point = Hyperparameters(lr_schedule="warmup_cosine", warmup_steps=10, learning_rate=0.008)
        >>> [round(learning_rate(point, Watch(), step, 110), 4) for step in (0, 9, 60, 109)]
        [0.0008, 0.008, 0.004, 0.0]
    """
    peak = hyperparameters.learning_rate
    if hyperparameters.lr_schedule != "warmup_cosine":
        return peak if watch.rate is None else watch.rate
    # A warm-up longer than the run would never reach its peak, let alone come down again.
    warmup = min(hyperparameters.warmup_steps, total_steps // 2)
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total_steps - warmup)))


def after_epoch(hyperparameters: Hyperparameters, watch: Watch, epoch: int, loss: float, accuracy: float) -> Watch:
    """What to remember after an epoch.

    Args:
        hyperparameters: of the run.
        watch: before the epoch.
        epoch: its number, from 1.
        loss: of the internal validation.
        accuracy: of the internal validation.
    """
    best = watch.best_loss is None or loss < watch.best_loss
    stale = 0 if best else watch.epochs_without_best + 1
    changes: dict[str, object] = {"epochs_without_best": stale}
    if best:
        changes |= {"best_loss": loss, "best_epoch": epoch}
    if hyperparameters.lr_schedule == "plateau":
        patience = _STOP_PATIENCE_CRF if hyperparameters.crf_layer else _STOP_PATIENCE_SOFTMAX
        changes["stopped"] = stale >= patience
        changes |= _plateau(hyperparameters, watch, accuracy)
    return watch.model_copy(update=changes)


def _plateau(hyperparameters: Hyperparameters, watch: Watch, accuracy: float) -> dict[str, object]:
    if watch.best_accuracy is None or accuracy > watch.best_accuracy + _PLATEAU_MIN_GAIN:
        return {"best_accuracy": accuracy, "epochs_without_gain": 0}
    waited = watch.epochs_without_gain + 1
    if waited < _PLATEAU_PATIENCE:
        return {"epochs_without_gain": waited}
    rate = hyperparameters.learning_rate if watch.rate is None else watch.rate
    return {"epochs_without_gain": 0, "rate": max(rate * _PLATEAU_FACTOR, min(rate, _MIN_RATE))}
