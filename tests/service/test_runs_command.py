"""`readlabel runs` against a service: what a person at a terminal and a script each get."""

from __future__ import annotations

import json
import os
import pty
import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from readlabel.messages import RunRecord, TrainingOptions


def test_the_runs_of_a_service_are_listed_shown_watched_stopped_resumed_fetched_and_deleted(
    service: Any, processes: Any, make_script: Callable[..., Any], tmp_path: Path
) -> None:
    def runs(*arguments: object) -> str:
        ended = processes.run("runs", *arguments, "--service", service.address)
        assert ended.returncode == 0, ended.stderr
        return str(ended.stdout)

    done, running = make_script(), make_script(gated=True)
    with service.client() as client:
        first = done.create(client, tags={"sweep": "one"}).removeprefix("runs/")
        list(client.watch(first))
        second = running.create(client).removeprefix("runs/")
        next(event for event in client.watch(second) if event.state_change and event.state_change.state == "RUNNING")

    listed = runs("list").splitlines()
    assert listed[0].split() == ["RUN", "MODEL", "STATE", "EPOCH", "CREATED", "HYPERPARAMETERS", "TAGS"]
    assert [line.split()[:4] for line in listed[1:]] == [
        [second[:12], "mini", "RUNNING", "0/2"],
        [first[:12], "mini", "SUCCEEDED", "3/2"],
    ]
    assert [line.split()[5] for line in listed[1:]] == [
        f"seed={script.spec.point.options.seed}" for script in (running, done)
    ]
    assert listed[2].rstrip().endswith("sweep=one")
    assert [json.loads(line)["run_id"] for line in runs("list", "--tag", "sweep=one", "--json").splitlines()] == [first]
    assert len(runs("list", "--limit", "1").splitlines()) == 2

    shown = runs("show", first[:12])
    assert shown.split()[:2] == ["run", first]
    assert "crf_layer TRUE" in " ".join(shown.split())
    assert "conv_filters" in shown
    assert "run.json" in shown
    assert json.loads(runs("show", first, "--json"))["record"]["state"] == "SUCCEEDED"

    watched = runs("watch", first).splitlines()
    assert [line.split()[:2] for line in watched if line.startswith("epoch")] == [
        ["epoch", f"{epoch}/3"] for epoch in (1, 2, 3)
    ]
    events = [json.loads(line) for line in runs("watch", first, "--json").splitlines()]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))

    assert runs("cancel", second[:8]).strip() == f"{second} is CANCELLING"
    assert runs("watch", second).splitlines()[-1] == "cancelled"
    running.open(1, 2, 3)
    assert runs("resume", f"runs/{second[:8]}").strip() == f"{second} is QUEUED"
    assert runs("watch", second).splitlines()[-1] == "succeeded (attempt 2)"

    runs("download", first, "--out", tmp_path / "fetched")
    assert RunRecord.model_validate_json((tmp_path / "fetched" / "run.json").read_text()).run_id == first

    (tmp_path / "fetched" / "thesis.txt").touch()
    ended = processes.run("runs", "download", first, "--out", tmp_path / "fetched", "--service", service.address)
    assert ended.returncode == 73
    assert (tmp_path / "fetched" / "thesis.txt").exists()

    ended = processes.run("runs", "show", "xyz", "--service", service.address)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "the id of no run begins with 'xyz'; `readlabel runs list` shows them" in ended.stderr

    assert (
        "no runs with FAILED" in processes.run("runs", "list", "--state", "failed", "--service", service.address).stderr
    )
    for words, status, message in (
        (["cancel", first], 65, f"error: runs/{first} is SUCCEEDED already\n"),
        (["resume", first], 65, "is SUCCEEDED: going on would change nothing"),
        (["delete", first[:3]], 2, "too little of an id for this; give 8 digits of it at least"),
    ):
        ended = processes.run("runs", *words, "--service", service.address)
        assert ended.returncode == status
        assert message in ended.stderr

    assert runs("delete", first[:8]).startswith(f"{first} is deleted: mini, SUCCEEDED, created ")
    ended = processes.run("runs", "show", first, "--service", service.address)
    assert (ended.returncode, ended.stdout) == (70, "")
    assert f"there is no runs/{first}" in ended.stderr


def test_an_id_that_is_none_or_of_several_runs_or_unknown_changes_nothing(
    service: Any, client: Any, processes: Any, make_script: Callable[..., Any]
) -> None:
    def refused(status: int, *arguments: object) -> str:
        ended = processes.run("runs", *arguments, "--service", service.address)
        assert (ended.returncode, ended.stdout) == (status, ""), arguments
        return str(ended.stderr)

    assert processes.run("runs", "list", "--service", service.address).stderr.startswith("no runs yet at ")
    script = make_script(gated=True)
    only = script.create(client)
    for empty in ("", "runs/"):  # as of a shell's variable that is not set
        for command in ("show", "watch", "cancel", "resume"):
            assert "the run's id is empty" in refused(2, command, empty)
    assert client.get(only).state in ("QUEUED", "RUNNING")
    ids = [only.removeprefix("runs/")]
    for seed in range(100, 116):  # one more than there are first digits
        point = script.spec.point.model_copy(update={"options": TrainingOptions(seed=seed)})
        ids.append(client.create(script.spec.model_copy(update={"point": point})).run_id)
    digit, count = Counter(run_id[0] for run_id in ids).most_common(1)[0]
    told = refused(2, "cancel", digit)
    assert f"'{digit}' begins the ids of {count} runs; give more of it:" in told
    assert all((f"  {run_id}  mini  " in told) == (run_id[0] == digit) for run_id in ids)
    assert not list(client.list(states=["CANCELLED", "CANCELLING"]))
    unknown = "0" * 32
    for command in ("show", "watch", "cancel", "resume", "delete"):
        assert f"there is no runs/{unknown}" in refused(70, command, unknown)


@pytest.mark.parametrize("words", [("list",), ("list", "--json"), ("show",), ("show", "--json"), ("watch",)])
def test_a_reader_that_has_had_enough_ends_the_command_without_a_word(
    client: Any, service: Any, processes: Any, make_script: Callable[..., Any], words: tuple[str, ...]
) -> None:
    name = make_script().create(client)
    list(client.watch(name))
    reading, writing = os.pipe()
    os.close(reading)
    run = [name] if words[0] != "list" else []
    process = processes.start("runs", *words, *run, "--service", service.address, stdout=writing)
    os.close(writing)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (141, "")


def test_a_terminal_sees_a_bar_that_moves_while_the_run_trains(
    service: Any, client: Any, processes: Any, make_script: Callable[..., Any]
) -> None:
    script = make_script(gated=True)
    name = script.create(client)
    terminal, theirs = pty.openpty()
    command = ("runs", "watch", name, "--service", service.address)
    process = processes.start(*command, stdout=theirs, env={**processes.environment, "TERM": "xterm"})
    os.close(theirs)
    seen = ""
    for epoch in (1, 2, 3):
        script.open(epoch)  # the next is not trained before the bar shows this one
        while not re.search(rf"(running|succeeded) ━[^\n]* {epoch}/3 ", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)):
            seen += os.read(terminal, 4096).decode(errors="replace")
    with suppress(OSError):  # the other side of the terminal is closed
        while text := os.read(terminal, 4096):
            seen += text.decode(errors="replace")
    os.close(terminal)
    assert process.wait() == 0
    assert "epoch 3/3" in seen, "the lines stand above the bar"


def test_a_command_without_an_address_or_with_words_that_are_none_says_so(processes: Any) -> None:
    cases = [
        (["list"], "--service HOST:PORT"),
        (["list", "--state", "DONE", "--service", "127.0.0.1:1"], "there are QUEUED, RUNNING"),
        (["list", "--tag", "sweep", "--service", "127.0.0.1:1"], "KEY=VALUE"),
        (["show", "1234", "--service", "127.0.0.1:1"], "no training service answers"),
    ]
    for arguments, message in cases:
        ended = processes.run("runs", *arguments)
        assert ended.returncode != 0
        assert message in ended.stderr
        assert "Traceback" not in ended.stderr
