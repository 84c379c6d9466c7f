"""The run store's file over the years: an older layout is brought up to date, and lists of it tell what is there."""

from __future__ import annotations

import itertools
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest

from readlabel.messages import PARAMETER_FAILURES, BlobRef, Failure, RunState, Segment, StoreError
from readlabel.server.run_queries import list_runs, take_census, unneeded
from readlabel.server.run_schema import APPLICATION_ID, SCHEMA_VERSION
from readlabel.server.run_store import RunStore, StoredRun
from readlabel.v1 import training_service_pb2 as pb
from readlabel.v1 import training_service_pb2_grpc
from readlabel.wire import Artifact, RunPage, TrainingRun, run_name, to_proto

FIRST_LAYOUT = """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL,
    priority INTEGER NOT NULL,
    queue_number INTEGER NOT NULL,
    losses INTEGER NOT NULL,
    tags TEXT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX runs_queue ON runs (state, priority DESC, queue_number);
CREATE TABLE events (
    run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (run, sequence)
) WITHOUT ROWID;
"""
"""As services of the first layout made it, and left it on the disks of those who run them."""
STATES: tuple[RunState, ...] = ("SUCCEEDED", "FAILED", "CANCELLED", "QUEUED")
QUEUED_AT = '{"sequence":1,"event_time":"2026-01-01T00:00:00.000Z","state_change":{"state":"QUEUED","attempt":0}}'


def digest(letter: str, number: int) -> BlobRef:
    return BlobRef(sha256=f"{letter * 32}{number:032x}", size_bytes=number)


def write_first(path: Path, runs: Sequence[tuple[Any, ...]], events: Sequence[tuple[Any, ...]]) -> None:
    """Write a store of the first layout with these rows."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(f"PRAGMA journal_mode = WAL; BEGIN; {FIRST_LAYOUT} COMMIT;")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute("PRAGMA user_version = 1")
        db.execute("BEGIN")
        db.executemany("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", runs)
        db.executemany("INSERT INTO events VALUES (?, ?, ?)", events)
        db.execute("COMMIT")


def take_back_to_first(path: Path) -> None:
    """Make of a store one of the first layout with all that is in it."""
    with closing(sqlite3.connect(path)) as db:
        columns = "number, id, state, priority, queue_number, losses, tags, document"
        runs = db.execute(f"SELECT {columns} FROM runs").fetchall()
        events = db.execute("SELECT run, sequence, document FROM events").fetchall()
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    write_first(path, runs, events)


@pytest.fixture
def make_first(tmp_path: Path, make_script: Callable[..., Any]) -> Callable[[int], tuple[Path, list[TrainingRun]]]:
    """Makes a store of the first layout with so many runs; its path and the runs, the first created first."""
    spec = make_script().spec

    def make(count: int) -> tuple[Path, list[TrainingRun]]:
        runs = []
        for number in range(count):
            state = STATES[number % len(STATES)]
            reason = ("NUMERICS", "DEVICE")[number // 4 % 2]
            runs.append(
                TrainingRun(
                    name=run_name(f"{number:032x}"),
                    spec=spec.model_copy(update={"training_reads": digest("a", number)}),
                    tags={"third": str(number % 3), "all": "x"},
                    state=state,
                    failure=Failure(reason=reason, message="") if state == "FAILED" else None,
                    artifacts=() if state == "QUEUED" else (
                        Artifact(name="run.json", media_type="text/plain", blob=digest("b", number)),
                    ),
                    last_sequence=1,
                    end_time="" if state == "QUEUED" else f"2026-01-01T00:00:00.{number % 1000:03}Z",
                )
            )  # fmt: skip
        path = tmp_path / "runs.sqlite"
        rows = [
            (number, run.run_id, run.state, 0, number, 0, json.dumps(run.tags), run.model_dump_json())
            for number, run in enumerate(runs, 1)
        ]
        write_first(path, rows, [(run.run_id, 1, QUEUED_AT) for run in runs])
        return path, runs

    return make


def filters() -> Iterator[tuple[tuple[RunState, ...], dict[str, str]]]:
    tags = ({}, {"third": "1"}, {"third": "1", "all": "x"}, {"third": "1", "all": "y"})
    for length in range(3):
        yield from itertools.product(itertools.permutations((*STATES, "RUNNING"), length), tags)


def test_a_store_of_the_first_layout_is_brought_to_todays_with_all_that_is_in_it(
    make_first: Callable[[int], tuple[Path, list[TrainingRun]]], tmp_path: Path
) -> None:
    path, runs = make_first(60)
    store = RunStore(path)
    for states, tags in filters():
        expected = [
            run.name
            for run in reversed(runs)
            if (not states or run.state in states) and tags.items() <= run.tags.items()
        ]
        found, cursor = list[str](), None
        for _ in range(len(runs)):
            page, cursor = list_runs(path, 4, cursor, states, tags)
            found += [run.name for run in page]
            if cursor is None:
                break
        assert found == expected, (states, tags)
    census = take_census(path)
    assert census.runs == {
        ("SUCCEEDED", ""): 15, ("CANCELLED", ""): 15, ("QUEUED", ""): 15, ("FAILED", "NUMERICS"): 8,
        ("FAILED", "DEVICE"): 7,
    }  # fmt: skip
    assert census.waiting_since == "2026-01-01T00:00:00.000Z"
    for number, run in enumerate(runs):
        final = run.state == "SUCCEEDED" or (run.failure is not None and run.failure.reason in PARAMETER_FAILURES)
        files = [tmp_path / digest(letter, number).sha256 for letter in "ab"]
        assert unneeded(path, files) == [files[0]] * final + [files[1]] * (run.state == "QUEUED"), run.state
        stored = store.get(run.run_id)
        assert stored is not None
        assert stored.run == run
    old = store.ended_before("2026-01-01T00:00:00.030Z", 1000)
    assert [run.name for run in old] == [run.name for run in runs[:30] if run.end_time]
    queued = store.next_queued()
    assert queued is not None
    assert queued.run == runs[3]
    store.save(queued)
    for run in runs:
        store.delete(run.run_id)
    assert unneeded(path, [tmp_path / digest("b", 0).sha256]) == [tmp_path / digest("b", 0).sha256]
    store.close()
    with closing(sqlite3.connect(path)) as db:
        assert [db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in ("tags", "needs", "events")] == [
            0, 0, 0,
        ]  # fmt: skip


def test_a_service_goes_on_with_all_that_one_of_the_first_layout_left_it(
    start_service: Callable[..., Any], make_script: Callable[..., Any], tmp_path: Path
) -> None:
    service = start_service("--devices", "cpu:1")
    ended = [make_script(outcome="FAILED", reason="NUMERICS") if one % 4 == 3 else make_script() for one in range(16)]
    stopped, running = make_script(gated=True), make_script(gated=True)
    waiting = [make_script() for _ in range(8)]
    with service.client() as client:
        names = [script.create(client, tags={"sweep": str(number % 2)}) for number, script in enumerate(ended)]
        for name in names:
            list(client.watch(name))
        live = [stopped.create(client)]
        stopped.open(1)
        for event in client.watch(live[0]):
            if event.epoch is not None:
                client.cancel(live[0])
        live += [script.create(client) for script in (running, *waiting)]
        running.open(1)
        next(event for event in client.watch(live[1]) if event.epoch is not None)
        before = {name: (client.get(name), list(client.watch(name))) for name in names}
    assert service.terminate() == 0
    take_back_to_first(service.data_dir / "runs.sqlite")

    service = start_service("--devices", "cpu:1", "--keep-blobs", "0")
    with service.client() as client:
        assert [run.name for run in client.list()] == [*names, *live][::-1]
        assert [run.name for run in client.list(tags={"sweep": "1"})] == names[1::2][::-1]
        for name, script in zip(names, ended, strict=True):
            assert (client.get(name), list(client.watch(name))) == before[name]
            assert client.create(script.spec) == before[name][0], "it is not trained again"
            client.download_all(before[name][0], tmp_path / name)
        for script in (stopped, running):
            script.open(2, 3)
        client.resume(live[0])
        for name in live:
            events = list(client.watch(name))
            assert [event.sequence for event in events] == list(range(1, len(events) + 1))
            assert [event.epoch.epoch for event in events if event.epoch is not None] == [1, 2, 3]
            assert client.get(name).state == "SUCCEEDED"


def test_a_new_store_and_one_that_was_brought_up_to_date_are_the_same(
    make_first: Callable[[int], tuple[Path, list[TrainingRun]]], tmp_path: Path
) -> None:
    path, _ = make_first(0)
    layouts = []
    for store in (path, tmp_path / "new.sqlite"):
        RunStore(store).close()
        with closing(sqlite3.connect(store)) as db:
            assert db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
            layouts.append(db.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall())
    assert layouts[0] == layouts[1]


def test_who_is_killed_while_it_brings_a_store_up_to_date_leaves_it_as_it_was(
    make_first: Callable[[int], tuple[Path, list[TrainingRun]]],
) -> None:
    path, runs = make_first(3000)
    code = "import sys, pathlib; from readlabel.server.run_store import RunStore; print('now', flush=True); "
    code += "RunStore(pathlib.Path(sys.argv[1]))"
    journal = path.with_name("runs.sqlite-wal")
    for kill_at_bytes in (0, 1 << 12, 1 << 16, 1 << 18):
        process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"now\n"
        while process.poll() is None:
            with suppress(FileNotFoundError):
                if journal.stat().st_size >= kill_at_bytes:
                    break
        process.kill()
        process.wait()
        process.stdout.close()
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA user_version").fetchone()[0] in (1, SCHEMA_VERSION)
            assert db.execute("SELECT COUNT(*) FROM runs").fetchone()[0] == len(runs)
    store = RunStore(path)
    assert len(list_runs(path, 1000, None, ["FAILED"], {"third": "1"})[0]) == 250
    store.close()


def test_a_service_that_was_killed_in_its_first_moment_leaves_a_folder_that_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
    assert path.stat().st_size > 0
    RunStore(path).close()
    RunStore(path).close()


def test_a_database_of_another_program_is_no_run_store(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="no run store of readlabel"):
        RunStore(path)
    assert path.read_bytes() == before


def test_a_page_of_large_runs_fits_what_a_client_takes(make_script: Callable[..., Any], tmp_path: Path) -> None:
    spec = make_script().spec
    segments = tuple(Segment(name=f"s{number}", pattern="ACGT" * 2500) for number in range(50))
    library = spec.point.library.model_copy(update={"segments": segments, "umis": ()})
    store = RunStore(tmp_path / "runs.sqlite")
    for number in range(40):
        point = spec.point.model_copy(update={"library": library if number % 3 == 0 else spec.point.library})
        run = TrainingRun(name=run_name(f"{number:032x}"), spec=spec.model_copy(update={"point": point}))
        store.save(StoredRun(run, number))
    found: list[str] = []
    before = None
    while True:
        page, before = list_runs(store.path, 1000, before, [], {})
        message = RunPage(training_runs=tuple(page), next_page_token="x" * 100)
        assert to_proto(message, pb.ListTrainingRunsResponse).ByteSize() < 4 << 20
        found += [run.run_id for run in page]
        if before is None:
            break
    assert found == [f"{number:032x}" for number in reversed(range(40))]
    assert len(list_runs(store.path, 3, None, [], {})[0]) == 3
    store.close()


def test_a_page_has_fifty_runs_or_as_many_as_asked_for_up_to_a_thousand(
    start_service: Callable[..., Any], make_script: Callable[..., Any], tmp_path: Path
) -> None:
    spec = make_script().spec
    (tmp_path / "data").mkdir(mode=0o700)
    with closing(RunStore(tmp_path / "data" / "runs.sqlite")) as store:
        for number in range(1001):
            run = TrainingRun(
                name=run_name(f"{number:032x}"), spec=spec, state="CANCELLED", end_time="2026-01-01T00:00:00.000Z"
            )
            store.save(StoredRun(run, 0))
    service = start_service("--devices", "cpu:1")
    with grpc.insecure_channel(service.address) as channel:
        stub = training_service_pb2_grpc.TrainingServiceStub(channel)
        assert stub.GetServerInfo(pb.GetServerInfoRequest()).max_page_size == 1000
        for asked, given in ((0, 50), (7, 7), (1000, 1000), (2**31 - 1, 1000)):
            page = stub.ListTrainingRuns(pb.ListTrainingRunsRequest(page_size=asked))
            assert len(page.training_runs) == given
        rest = stub.ListTrainingRuns(pb.ListTrainingRunsRequest(page_size=1000, page_token=page.next_page_token))
        assert [run.name for run in rest.training_runs] == [run_name("0" * 32)]
        assert rest.next_page_token == ""


@pytest.mark.parametrize(
    ("sound", "damaged"),
    [
        (b'"model":"mini"', b'"model":"m\xffni"'),
        (b'"state":"QUEUED"', b'"state":"QUEUEX"'),
        (b"CREATE INDEX runs_queue", b"CR\xffATE INDEX runs_queue"),
    ],
)
def test_text_that_cannot_be_read_is_damage_that_is_told_at_the_start(
    processes: Any, make_script: Callable[..., Any], tmp_path: Path, sound: bytes, damaged: bytes
) -> None:
    """Damage within a text breaks no rule of SQLite, so its own check does not see it."""
    spec = make_script().spec
    data, folder = tmp_path / "data", tmp_path / "sock"
    for one in (data, folder):
        one.mkdir(mode=0o700)
    with closing(RunStore(data / "runs.sqlite")) as store:
        store.save(StoredRun(TrainingRun(name=run_name(spec.run_id), spec=spec), 1))
    path = data / "runs.sqlite"
    content = path.read_bytes()
    assert sound in content
    path.write_bytes(content.replace(sound, damaged))
    before = path.read_bytes()
    ended = processes.run("serve", "--socket", folder / "s", "--data-dir", data)
    assert (ended.returncode, ended.stdout) == (74, "")
    assert "runs.sqlite: the run store is damaged" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert path.read_bytes() == before
