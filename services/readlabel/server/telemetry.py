"""What the service counts and logs of its runs as they go; `metrics` shows the counts to Prometheus.

No name of a run, a read or a caller is ever a label: the numbers may be seen by who may not call the service.
"""

from __future__ import annotations

import logging
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from readlabel import __version__
from readlabel.messages import ENGINE_REVISION, TERMINAL_STATES, EpochMetrics, FailureReason
from readlabel.wire import TrainingRun

log = logging.getLogger(__name__)

_WAIT_BUCKETS = (1, 10, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600)


class Telemetry:
    """The counters of one service, all from 0 at its start.

    Attributes:
        registry: holds them, and the collectors that `metrics` adds.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        build = Info("readlabel_build", "The service's version and engine.", registry=self.registry)
        build.info({"version": __version__, "engine_revision": str(ENGINE_REVISION)})
        self._waits = Histogram(
            "readlabel_queue_wait_seconds",
            "Time from entering the queue to leaving it for a device.",
            buckets=_WAIT_BUCKETS,
            registry=self.registry,
        )
        self._ended = Counter(
            "readlabel_runs_ended", "Runs that came to an end.", ["state", "reason"], registry=self.registry
        )
        self._retries = Counter(
            "readlabel_runs_retried",
            "Runs that went back to the queue because a worker was lost or a device failed.",
            ["reason"],
            registry=self.registry,
        )
        self._epochs = Counter("readlabel_epochs", "Epochs trained.", registry=self.registry)
        self._bases = Counter("readlabel_trained_bases", "Real bases trained on.", registry=self.registry)
        self._speed = Gauge(
            "readlabel_bases_per_second",
            "Real bases trained a second in the last epoch on this device; 0 when it is idle.",
            ["device"],
            registry=self.registry,
        )
        self._moved = Counter(
            "readlabel_blob_bytes",
            "Bytes of blobs that callers sent (in) and were sent (out).",
            ["direction"],
            registry=self.registry,
        )
        for direction in ("in", "out"):
            self._moved.labels(direction)  # a counter that is not there yet has no rate

    def left_queue(self, queued: str | None, taken: str) -> None:
        """A run that entered the queue at one time (RFC 3339) was taken by a device at another."""
        if queued is not None:
            waited = datetime.fromisoformat(taken) - datetime.fromisoformat(queued)
            self._waits.observe(max(0.0, waited.total_seconds()))

    def entered(self, run: TrainingRun) -> None:
        """A run is in a new state."""
        facts: dict[str, object] = {"run": run.run_id, "state": run.state, "attempt": len(run.attempts)}
        why = ""
        if run.state == "RUNNING":
            facts["device"] = run.attempts[-1].device
        if run.failure is not None:
            facts["reason"] = run.failure.reason
            why = f" ({run.failure.reason}: {run.failure.message})"
        log.info("%s is %s%s", run.name, run.state, why, extra=facts)
        if run.state in TERMINAL_STATES:
            self._ended.labels(run.state, run.failure.reason if run.failure else "").inc()

    def retried(self, reason: FailureReason) -> None:
        """A run is queued again for the machine's fault."""
        self._retries.labels(reason).inc()

    def epoch(self, device: str, metrics: EpochMetrics) -> None:
        """An epoch ended on a device slot."""
        self._epochs.inc()
        self._bases.inc(metrics.bases_per_second * metrics.seconds)
        self._speed.labels(device).set(metrics.bases_per_second)

    def idle(self, device: str) -> None:
        """A device slot has no run, or none that has ended an epoch yet."""
        self._speed.labels(device).set(0)

    def received(self, size_bytes: int) -> None:
        """Bytes of a blob came."""
        self._moved.labels("in").inc(size_bytes)

    def sent(self, size_bytes: int) -> None:
        """Bytes of a blob went."""
        self._moved.labels("out").inc(size_bytes)
