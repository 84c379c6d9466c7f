"""Crossing between proto and pydantic loses nothing and refuses what does not fit."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readlabel.messages import (
    Attempt,
    BlobRef,
    EpochMetrics,
    Failure,
    GridPoint,
    Hyperparameters,
    InputError,
    Library,
    RunRecord,
    RunSpec,
    Segment,
    Timings,
    TrainingOptions,
)
from readlabel.messages.library import CDNA, RESERVED_NAMES
from readlabel.v1 import hyperparameters_pb2, training_run_pb2, training_service_pb2
from readlabel.wire import (
    Artifact,
    Device,
    Heartbeat,
    Note,
    RunEvent,
    RunPage,
    ServerInfo,
    StateChange,
    TrainingRun,
    from_proto,
    to_proto,
)

count = st.integers(0, 2**31 - 1)
size = st.integers(0, 2**63 - 1)
number = st.floats(allow_nan=False, allow_infinity=False)
share = st.floats(0, 1)
amount = st.floats(0, 1e12)
text = st.text(st.characters(codec="utf-8"), max_size=20)
name = st.text(string.ascii_letters, min_size=1, max_size=12).filter(
    lambda word: word not in RESERVED_NAMES and word.lower() != CDNA.lower()  # Hypothesis tries words of the code
)
time = st.datetimes().map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment.year >= 1000 else "")
state = st.sampled_from(["QUEUED", "RUNNING", "CANCELLING", "SUCCEEDED", "FAILED", "CANCELLED"])
texts = st.lists(text, max_size=3).map(tuple)

blobs = st.builds(BlobRef, sha256=st.text("0123456789abcdef", min_size=64, max_size=64), size_bytes=size)
hyperparameters = st.builds(
    Hyperparameters,
    batch_size=st.integers(1, 65536),
    train_fraction=share,
    vocab_size=st.integers(5, 64),
    embedding_dim=st.integers(1, 4096),
    conv_layers=st.integers(1, 16),
    conv_filters=st.integers(1, 4096),
    conv_kernel_size=st.integers(1, 511),
    lstm_layers=st.integers(1, 8),
    lstm_units=st.integers(1, 4096),
    bidirectional=st.booleans(),
    crf_layer=st.booleans(),
    attention_heads=st.integers(0, 64),
    dropout_rate=st.floats(0, 1, exclude_max=True),
    regularization=share,
    learning_rate=st.floats(0, 1, exclude_min=True),
    epochs=st.integers(1, 10000),
    lr_schedule=st.sampled_from(["plateau", "constant", "warmup_cosine"]),
    warmup_steps=st.integers(0, 1_000_000),
    precision=st.sampled_from(["float32", "mixed_bfloat16", "mixed_float16"]),
    boundary_potentials=st.booleans(),
)
segments = st.builds(Segment, name=name, pattern=st.sampled_from(["ACGT", "N16", "NN", "A", "T"]))


@st.composite
def libraries(draw: st.DrawFn) -> Library:
    parts = tuple(draw(st.lists(segments, min_size=1, max_size=4)))
    some = st.lists(st.sampled_from([part.name for part in parts]), max_size=2).map(tuple)
    strand = draw(st.sampled_from(["fwd", "rev"]))
    return Library(model=draw(name), segments=parts, barcodes=draw(some), umis=draw(some), strand=strand)


options = st.builds(TrainingOptions, seed=count, crf_backend=st.sampled_from(["readlabel", "tfa"]))
points = st.builds(
    GridPoint,
    hyperparameters=hyperparameters,
    library=libraries(),
    options=options,
    engine_revision=st.integers(1, 2**31 - 1),
)
specs = st.builds(RunSpec, point=points, training_reads=blobs, validation_reads=blobs)
failures = st.builds(Failure, reason=st.sampled_from(["NUMERICS", "WORKER_LOST", "DISK_FULL"]), message=text)
attempts = st.builds(
    Attempt,
    number=st.integers(1, 100),
    device=text,
    threads=count,
    start_time=time,
    end_time=time,
    resumed_from_epoch=count,
    notes=texts,
)
timings = st.builds(Timings, load_seconds=amount, train_seconds=amount, total_seconds=amount)
records = st.builds(
    RunRecord,
    run_id=text,
    spec=specs,
    state=state,
    failure=st.none() | failures,
    attempts=st.lists(attempts, max_size=2).map(tuple),
    timings=timings,
    versions=st.dictionaries(text, text, max_size=3),
    trainable_parameters=size,
    epochs_trained=count,
    tranquillyzer_loads=st.booleans(),
    notes=texts,
)
epochs = st.builds(
    EpochMetrics,
    epoch=st.integers(1, 10000),
    epochs=st.integers(1, 10000),
    loss=number,
    accuracy=share,
    internal_validation_loss=st.none() | number,
    internal_validation_accuracy=st.none() | share,
    learning_rate=amount,
    gradient_norm=amount,
    bases_per_second=amount,
    memory_bytes=size,
    seconds=amount,
)
runs = st.builds(
    TrainingRun,
    name=text,
    spec=specs,
    tags=st.dictionaries(name, text, max_size=3),
    priority=st.integers(-100, 100),
    state=state,
    failure=st.none() | failures,
    attempts=st.lists(attempts, max_size=2).map(tuple),
    last_epoch=count,
    last_sequence=size,
    artifacts=st.lists(st.builds(Artifact, name=name, media_type=text, blob=blobs), max_size=2).map(tuple),
    record=st.none() | records,
    create_time=time,
    update_time=time,
    end_time=time,
    etag=text,
)
events = st.one_of(
    st.builds(RunEvent, sequence=size, event_time=time, state_change=st.builds(StateChange, state=state)),
    st.builds(RunEvent, sequence=size, event_time=time, epoch=epochs),
    st.builds(RunEvent, sequence=size, event_time=time, note=st.builds(Note, text=text)),
    st.builds(RunEvent, sequence=size, heartbeat=st.just(Heartbeat())),
)
infos = st.builds(
    ServerInfo,
    version=text,
    engine_revision=count,
    max_chunk_bytes=count,
    max_blob_bytes=size,
    max_queued_runs=count,
    max_page_size=count,
    devices=st.lists(st.builds(Device, name=text, threads=count, run=text), max_size=2).map(tuple),
    hyperparameters_schema=text,
    queued_runs=count,
)


@given(hyperparameters)
def test_hyperparameters_come_back_as_they_went(sent: Hyperparameters) -> None:
    raw = to_proto(sent, hyperparameters_pb2.Hyperparameters).SerializeToString()
    assert from_proto(hyperparameters_pb2.Hyperparameters.FromString(raw), Hyperparameters, closed=True) == sent


@given(specs)
def test_specs_come_back_with_the_same_run_id(sent: RunSpec) -> None:
    raw = to_proto(sent, training_run_pb2.RunSpec).SerializeToString()
    got = from_proto(training_run_pb2.RunSpec.FromString(raw), RunSpec, closed=True)
    assert got == sent
    assert got.run_id == sent.run_id


@given(runs)
def test_runs_come_back_as_they_went(sent: TrainingRun) -> None:
    raw = to_proto(sent, training_run_pb2.TrainingRun).SerializeToString()
    assert from_proto(training_run_pb2.TrainingRun.FromString(raw), TrainingRun, closed=True) == sent


@given(events)
def test_events_come_back_as_they_went(sent: RunEvent) -> None:
    raw = to_proto(sent, training_run_pb2.RunEvent).SerializeToString()
    assert from_proto(training_run_pb2.RunEvent.FromString(raw), RunEvent, closed=True) == sent


@given(infos)
def test_server_info_comes_back_as_it_went(sent: ServerInfo) -> None:
    raw = to_proto(sent, training_service_pb2.ServerInfo).SerializeToString()
    assert from_proto(training_service_pb2.ServerInfo.FromString(raw), ServerInfo, closed=True) == sent


@given(st.lists(runs, max_size=2), text)
def test_pages_come_back_as_they_went(sent: list[TrainingRun], token: str) -> None:
    page = RunPage(training_runs=tuple(sent), next_page_token=token)
    raw = to_proto(page, training_service_pb2.ListTrainingRunsResponse).SerializeToString()
    assert from_proto(training_service_pb2.ListTrainingRunsResponse.FromString(raw), RunPage) == page


def test_an_empty_message_gives_the_defaults() -> None:
    assert from_proto(hyperparameters_pb2.Hyperparameters(), Hyperparameters) == Hyperparameters()


def test_all_findings_come_at_once_and_name_their_fields() -> None:
    proto = training_run_pb2.RunSpec()
    proto.point.hyperparameters.batch_size = 0
    proto.point.hyperparameters.learning_rate = float("nan")
    proto.point.library.segments.add(name="5p", pattern="XYZ")
    with pytest.raises(InputError) as caught:
        from_proto(proto, RunSpec, "training_run.spec")
    found = {problem.where: problem.message for problem in caught.value.problems}
    assert set(found) == {
        "training_run.spec.point.hyperparameters.batch_size",
        "training_run.spec.point.hyperparameters.learning_rate",
        "training_run.spec.point.library.model",
        "training_run.spec.point.library.segments[0].pattern",
        "training_run.spec.point.library.strand",
        "training_run.spec.training_reads",
        "training_run.spec.validation_reads",
    }
    assert "greater than or equal to 1" in found["training_run.spec.point.hyperparameters.batch_size"]
    assert "given: 0" in found["training_run.spec.point.hyperparameters.batch_size"]


def test_an_enum_number_of_a_later_version_is_refused_with_the_known_ones() -> None:
    proto = hyperparameters_pb2.Hyperparameters()
    proto.MergeFromString(bytes([0x88, 0x01, 99]))  # field 17, lr_schedule = 99
    with pytest.raises(InputError, match=r"lr_schedule: 99 is no value.*LR_SCHEDULE_WARMUP_COSINE"):
        from_proto(proto, Hyperparameters)


def test_a_field_of_a_later_version_is_refused_where_it_would_be_ignored() -> None:
    proto = hyperparameters_pb2.Hyperparameters()
    proto.MergeFromString(bytes([0xC8, 0x06, 1]))  # field 105 = 1
    assert from_proto(proto, Hyperparameters) == Hyperparameters()
    with pytest.raises(InputError, match="#105"):
        from_proto(proto, Hyperparameters, closed=True)


def test_a_time_outside_the_calendar_is_a_finding() -> None:
    proto = training_run_pb2.Attempt(number=1)
    proto.start_time.seconds = 10**15
    with pytest.raises(InputError, match="start_time"):
        from_proto(proto, Attempt)
