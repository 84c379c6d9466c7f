"""A worker that speaks the real protocol and does what a script says, for tests of everything around training.

The script is the file of training reads: JSON in one line between two of "PAR1", of `epochs`, and if wanted `gate` (a
folder: epoch N waits for the file N in it), `die_at` (the epoch after which the worker kills itself, 0 is before the
first) with `deaths` (how often), `silent_at` (the same, but before the service hears of the epoch), `outcome`,
`reason`, `deaf` (obeys no order, not even the end of its input). Checkpoints are the number of the last epoch in a
file. Nothing here touches TensorFlow, so a run takes milliseconds.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from readlabel.artifacts.names import LOG, METRICS, RUN
from readlabel.messages import (
    ORDER,
    CancelOrder,
    EpochEvent,
    EpochMetrics,
    Failure,
    FinishedEvent,
    LabelScore,
    Message,
    Metrics,
    ReadyEvent,
    RunRecord,
    Scores,
    StartedEvent,
    StopOrder,
    TrainOrder,
)


def main() -> None:
    """Train one run, as scripted."""
    orders: queue.Queue[Any] = queue.Queue()
    threading.Thread(target=listen, args=(orders,), daemon=True).start()
    tell(ReadyEvent())
    order = orders.get()
    if not isinstance(order, TrainOrder):
        return
    script = json.loads(Path(order.training_reads).read_text().splitlines()[1])
    checkpoints = Path(order.checkpoint_dir)
    checkpoints.mkdir(parents=True, exist_ok=True)
    done = int((checkpoints / "epoch").read_text()) if (checkpoints / "epoch").exists() else 0
    tell(StartedEvent(device=order.device, threads=order.threads, resumed_from_epoch=done))
    if script.get("die_at") == 0:
        die(checkpoints, script)
    for epoch in range(1, done + 1):
        tell(EpochEvent(metrics=metrics_of(epoch, script)))
    for epoch in range(done + 1, script["epochs"] + 1):
        asked = wait_for_gate(script, epoch, orders)
        if isinstance(asked, CancelOrder):
            finish(order, "CANCELLED", None)
            return
        if isinstance(asked, StopOrder):
            return
        (checkpoints / "epoch").write_text(str(epoch))
        if epoch == script.get("silent_at"):
            die(checkpoints, script)
        tell(EpochEvent(metrics=metrics_of(epoch, script)))
        if epoch == script.get("die_at"):
            die(checkpoints, script)
    failure = Failure(reason=script["reason"], message="as scripted") if "reason" in script else None
    finish(order, script.get("outcome", "SUCCEEDED"), failure)


def listen(orders: queue.Queue[Any]) -> None:
    """Read orders; the end of standard input is an order to stop."""
    for line in sys.stdin:
        orders.put(ORDER.validate_json(line))
    orders.put(StopOrder())


def wait_for_gate(script: dict[str, Any], epoch: int, orders: queue.Queue[Any]) -> Any:
    """Wait until the epoch may begin; the order that came meanwhile, or None."""
    gate = Path(script["gate"]) / str(epoch) if "gate" in script else None
    while True:
        try:
            asked = orders.get(timeout=0.02) if gate is not None and not gate.exists() else orders.get_nowait()
            if not script.get("deaf"):
                return asked
        except queue.Empty:
            if gate is None or gate.exists():
                return None


def die(checkpoints: Path, script: dict[str, Any]) -> None:
    """End without a word, as often as the script says."""
    graves = checkpoints / "deaths"
    deaths = int(graves.read_text()) if graves.exists() else 0
    if deaths < script.get("deaths", 1):
        graves.write_text(str(deaths + 1))
        print("scripted end", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


def metrics_of(epoch: int, script: dict[str, Any]) -> EpochMetrics:
    """Plausible numbers, the same for the same epoch."""
    return EpochMetrics(
        epoch=epoch,
        epochs=script["epochs"],
        loss=10 / epoch,
        accuracy=1 - 1 / (epoch + 1),
        learning_rate=0.001,
        bases_per_second=1000,
        seconds=2,
    )


def finish(order: TrainOrder, state: Any, failure: Failure | None) -> None:
    """Write the artifacts and tell the outcome."""
    folder = Path(order.run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    record = RunRecord(run_id=order.spec.run_id, spec=order.spec, state=state, failure=failure)
    (folder / RUN).write_text(record.model_dump_json())
    (folder / LOG).write_text(f"attempt {order.attempt}\n")
    names = [RUN, LOG]
    if state == "SUCCEEDED":
        label = LabelScore(label="5p", precision=1, recall=1, f1=1, true_bases=4, predicted_bases=4)
        scores = Scores(reads=1, bases=4, accuracy=1, macro_f1=1, exact_order=1, labels=(label,), confusion=((4,),))
        metrics = Metrics(validation=scores, tranquillyzer_padding=scores, bases_per_second=1)
        (folder / METRICS).write_text(metrics.model_dump_json())
        names.append(METRICS)
    tell(FinishedEvent(state=state, failure=failure, artifacts=tuple(names)))


def tell(event: Message) -> None:
    """Send one event; a reader that is gone is the end."""
    try:
        print(event.model_dump_json(), flush=True)
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main()
