"""The service as a whole: opens its stores, listens, trains, and stops in order.

Stopping, whatever asks for it: health says NOT_SERVING and nothing is taken from the queue, workers checkpoint within
the grace period, watchers are told to come back, the stores close. What did not end is queued again at the next start.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from readlabel import __version__
from readlabel.messages import OutputError
from readlabel.server.addresses import bind, check_address
from readlabel.server.blob_servicer import BlobServicer
from readlabel.server.blob_store import BlobStore
from readlabel.server.certificates import Certificates
from readlabel.server.config import ServerConfig
from readlabel.server.data_dir import check_writable, lock_data_dir
from readlabel.server.desk import RunDesk
from readlabel.server.devices import Slot, plan_slots
from readlabel.server.disk import telling_of_a_full_disk
from readlabel.server.guard import Guard
from readlabel.server.leases import default_lease_dir, make_private
from readlabel.server.metrics import serve_metrics
from readlabel.server.reflection import add_reflection
from readlabel.server.retention import Collected, Retention
from readlabel.server.run_store import RunStore
from readlabel.server.slots import SlotRunner
from readlabel.server.telemetry import Telemetry
from readlabel.server.tokens import Tokens
from readlabel.server.training_servicer import TrainingServicer
from readlabel.v1 import blob_service_pb2, blob_service_pb2_grpc, training_service_pb2, training_service_pb2_grpc

log = logging.getLogger(__name__)

SERVICES = (
    training_service_pb2.DESCRIPTOR.services_by_name["TrainingService"].full_name,
    blob_service_pb2.DESCRIPTOR.services_by_name["BlobService"].full_name,
)
_CALLS_GRACE_SECONDS = 2
_TURN_SECONDS = 0.0005
"""A thread that works through a long list gives way so soon to a call that comes: Python's 5 ms add up to 100."""


async def serve(config: ServerConfig, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM, Ctrl-C or, for a private service, the end of standard input.

    Args:
        config: see ServerConfig.
        say: told one line when the service is up, and one for each thing a person should know.

    Raises:
        InputError: the configuration does not go together or names what is not there.
        AddressInUseError: the address, or that for metrics, is taken.
        OutputError: the data or checkpoint folder cannot be written, or another service uses it.
        StoreError: the run store is damaged or of a later version.
    """
    sys.setswitchinterval(_TURN_SECONDS)
    for warning in check_address(config):
        say(warning)
    tokens = Tokens(config.token_file) if config.token_file else None
    certificates = Certificates(config.tls) if config.tls else None
    slots = plan_slots(config.devices, config.threads, config.private)
    config = replace(config, lease_dir=config.lease_dir or _usual_lease_dir(config, slots))
    if config.checkpoint_dir is not None:
        check_writable(config.checkpoint_dir)
    lock = lock_data_dir(config.data_dir, config.private)
    stop = asyncio.Event()
    _stop_on_signals(stop)
    if config.private:
        _stop_at_end_of_input(stop)
    # What is entered here is left in reverse order, however the service ends.
    async with AsyncExitStack() as closing:
        if config.private:
            closing.callback(_remove_traces, config)
        closing.callback(os.close, lock)
        store = RunStore(config.data_dir / "runs.sqlite")
        closing.callback(store.close)
        closing.enter_context(telling_of_a_full_disk(config.data_dir))
        blobs = BlobStore(config.data_dir, config.limits.blob_bytes)
        for path in config.link:
            await asyncio.to_thread(blobs.link, path)
        telemetry = Telemetry()
        desk = RunDesk(store, blobs, config, telemetry)
        if not config.private:  # before runs are changed, which takes room that may be made here
            retention = Retention(desk, blobs, config.keep, config.data_dir)
            collected = await retention.collect()
            if collected != Collected():
                say(str(collected))
            closing.callback(asyncio.create_task(retention.keep_collecting(), name="retention").cancel)
        for line in desk.recover():
            say(line)
        runners = [SlotRunner(slot, desk, blobs, config) for slot in slots]
        if config.metrics_listen is not None:
            page, end = serve_metrics(
                config.metrics_listen,
                telemetry,
                config.data_dir / "runs.sqlite",
                config.limits.queued_runs,
                lambda: [runner.use for runner in runners],
            )
            closing.callback(end)
            say(f"metrics at {page}")
        server = _make_server(config, tokens)
        # A server that is never stopped would hold up the interpreter's end.
        closing.push_async_callback(server.stop, _CALLS_GRACE_SECONDS)
        checker = await _add_services(
            server,
            TrainingServicer(desk, config.limits, lambda: [runner.device for runner in runners]),
            BlobServicer(blobs, config.limits, telemetry),
        )
        address = bind(server, config, certificates)
        closing.callback(desk.bell.close)
        closing.push_async_callback(_stop_all, runners)
        for runner in runners:
            runner.start()
        await server.start()
        held = ", ".join(f"{slot.name} ({slot.threads} threads)" for slot in slots)
        say(f"readlabel {__version__} serves {address} | devices {held} | data {config.data_dir}")
        await stop.wait()
        desk.stopping = True
        await checker.enter_graceful_shutdown()
        say("stopping: runs checkpoint first" if any(runner.device.run for runner in runners) else "stopping")


async def _add_services(server: grpc.aio.Server, training: TrainingServicer, blobs: BlobServicer) -> Any:
    """Add the two services, health (which is returned) and reflection."""
    training_service_pb2_grpc.add_TrainingServiceServicer_to_server(training, server)  # type: ignore[no-untyped-call]
    blob_service_pb2_grpc.add_BlobServiceServicer_to_server(blobs, server)  # type: ignore[no-untyped-call]
    checker = health.aio.HealthServicer()  # type: ignore[attr-defined]
    health_pb2_grpc.add_HealthServicer_to_server(checker, server)
    for service in SERVICES:
        await checker.set(service, health_pb2.HealthCheckResponse.SERVING)
    add_reflection((*SERVICES, health.SERVICE_NAME), server)
    return checker


def _usual_lease_dir(config: ServerConfig, slots: Sequence[Slot]) -> Path | None:
    """Where devices are shared when nobody said so: GPUs always, cores by private services.

    Who runs a standing service on a CPU has said how many slots and threads it has.
    """
    folder = default_lease_dir()
    if not all(slot.on_cpu for slot in slots):
        return folder
    if not config.private:
        return None
    try:
        make_private(folder)
    except OutputError as error:  # cores that two share make both slow, and nothing worse
        log.warning("%s; this service trains without regard to others on this host", error)
        return None
    return folder


async def _stop_all(runners: Sequence[SlotRunner]) -> None:
    ended = await asyncio.gather(*(runner.stop() for runner in runners), return_exceptions=True)
    for fault in ended:
        if isinstance(fault, Exception):
            log.error("a slot did not stop in order", exc_info=fault)


def _make_server(config: ServerConfig, tokens: Tokens | None) -> grpc.aio.Server:
    options = [
        ("grpc.so_reuseport", 0),  # else two services share a port without a word
        ("grpc.max_receive_message_length", config.limits.message_bytes),
        # A megabyte of compressed zeros would be a gigabyte here; reads and artifacts hardly compress.
        ("grpc.compression_enabled_algorithms_bitset", 1),
        # Clients that ping to keep a quiet stream alive are welcome; dead ones are noticed.
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.max_ping_strikes", 0),
    ]
    return grpc.aio.server(interceptors=[Guard(tokens)], options=options)


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def asked() -> None:
        stop.set()
        # Who asks twice does not want to wait: the default action ends the process, and with it the workers.
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)


def _stop_at_end_of_input(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def readable() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            stop.set()

    loop.add_reader(sys.stdin.fileno(), readable)


def _remove_traces(config: ServerConfig) -> None:
    """Remove what a private service wrote, and its socket's folder if nothing else is in it."""
    shutil.rmtree(config.data_dir, ignore_errors=True)
    if config.socket is not None:
        config.socket.unlink(missing_ok=True)
        try:
            config.socket.parent.rmdir()
        except OSError:
            log.debug("%s is not empty and stays", config.socket.parent)
