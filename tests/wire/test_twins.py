"""Each proto message that has a pydantic twin says the same thing: names, types, presence, ranges, defaults."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import annotated_types
import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from readlabel import messages, wire
from readlabel.v1 import hyperparameters_pb2, training_run_pb2, training_service_pb2
from readlabel.wire.translate import bare_type, item_type

ROOT = Path(__file__).resolve().parents[2]
RUN = training_run_pb2
TWINS: list[tuple[type[messages.Message], Any]] = [
    (messages.Hyperparameters, hyperparameters_pb2.Hyperparameters),
    (messages.BlobRef, RUN.BlobRef),
    (messages.Segment, RUN.Segment),
    (messages.Library, RUN.Library),
    (messages.TrainingOptions, RUN.TrainingOptions),
    (messages.GridPoint, RUN.GridPoint),
    (messages.RunSpec, RUN.RunSpec),
    (messages.Failure, RUN.Failure),
    (messages.Attempt, RUN.Attempt),
    (messages.Timings, RUN.Timings),
    (messages.RunRecord, RUN.RunRecord),
    (messages.EpochMetrics, RUN.EpochMetrics),
    (wire.Artifact, RUN.Artifact),
    (wire.TrainingRun, RUN.TrainingRun),
    (wire.StateChange, RUN.StateChange),
    (wire.Note, RUN.Note),
    (wire.Heartbeat, RUN.Heartbeat),
    (wire.RunEvent, RUN.RunEvent),
    (wire.Device, training_service_pb2.Device),
    (wire.ServerInfo, training_service_pb2.ServerInfo),
    (wire.RunPage, training_service_pb2.ListTrainingRunsResponse),
]
SCALARS = {
    int: {FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64},
    float: {FieldDescriptor.TYPE_DOUBLE},
    bool: {FieldDescriptor.TYPE_BOOL},
    str: {FieldDescriptor.TYPE_STRING},
}
TWIN_OF = {model: proto.DESCRIPTOR.full_name for model, proto in TWINS}
twins = pytest.mark.parametrize(("model", "proto"), TWINS, ids=[model.__name__ for model, _ in TWINS])


@twins
def test_twins_have_the_same_names(model: type[messages.Message], proto: Any) -> None:
    assert set(model.model_fields) == {field.name for field in proto.DESCRIPTOR.fields}


@twins
def test_twins_have_the_same_types(model: type[messages.Message], proto: Any) -> None:
    for name, info in model.model_fields.items():
        field = proto.DESCRIPTOR.fields_by_name[name]
        kind, inner = bare_type(info.annotation), item_type(info.annotation)
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        assert is_map == (get_origin(kind) is dict), name
        if is_map:
            continue
        assert (field.label == FieldDescriptor.LABEL_REPEATED) == (get_origin(kind) is tuple), name
        if get_origin(inner) is Literal:
            assert field.enum_type is not None, name
            assert _words(field.enum_type) == set(get_args(inner)), name
        elif issubclass(inner, messages.Message):
            assert field.message_type.full_name == TWIN_OF[inner], name
        elif field.message_type is not None:
            assert (inner, field.message_type.full_name) == (str, "google.protobuf.Timestamp"), name
        else:
            assert field.type in SCALARS[inner], name


@twins
def test_a_field_left_out_takes_the_default_of_its_twin(model: type[messages.Message], proto: Any) -> None:
    """A scalar without presence reads as zero, so one with another default, or None, must be `optional`."""
    for name, info in model.model_fields.items():
        field = proto.DESCRIPTOR.fields_by_name[name]
        if field.label == FieldDescriptor.LABEL_REPEATED or field.enum_type is not None:
            continue
        if info.default is not PydanticUndefined and info.default not in (0, "", False):
            assert field.has_presence, f"{model.__name__}.{name} has the default {info.default}"


def test_hyperparameters_are_int32_and_have_presence() -> None:
    for field in hyperparameters_pb2.Hyperparameters.DESCRIPTOR.fields:
        assert field.has_presence, field.name
        assert field.type != FieldDescriptor.TYPE_INT64, field.name


@pytest.mark.parametrize(
    ("model", "message"),
    [(messages.Hyperparameters, "Hyperparameters"), (messages.TrainingOptions, "TrainingOptions")],
)
def test_comments_state_range_and_default(
    model: type[messages.Message], message: str, comments: dict[str, str]
) -> None:
    for name, info in model.model_fields.items():
        comment = comments[f"readlabel.v1.{message}.{name}"]
        assert _range(info) in comment, name
        kind = bare_type(info.annotation)
        default = info.default
        if get_origin(kind) is Literal:
            enum = getattr(hyperparameters_pb2, message, None) or getattr(RUN, message)
            default = wire.enum_name(enum.DESCRIPTOR.fields_by_name[name].enum_type, default)
        elif isinstance(default, bool):
            default = str(default).lower()
        assert f"Default: {default}." in comment, name


@pytest.fixture(scope="module")
def comments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Leading comment of every field, by full name."""
    image = tmp_path_factory.mktemp("buf") / "image.binpb"
    buf = Path(sysconfig.get_path("scripts")) / "buf"
    subprocess.run([buf, "build", "-o", image, "--as-file-descriptor-set"], cwd=ROOT, check=True)
    found: dict[str, str] = {}
    for file in descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes()).file:
        for location in file.source_code_info.location:
            if len(location.path) == 4 and location.path[0] == 4 and location.path[2] == 2:
                message = file.message_type[location.path[1]]
                field = message.field[location.path[3]]
                found[f"{file.package}.{message.name}.{field.name}"] = location.leading_comments
    return found


def _words(enum: EnumDescriptor) -> set[str]:
    """The pydantic words of an enum's values, in the case the model writes them."""
    prefix = wire.enum_name(enum, "")
    names = [value.name.removeprefix(prefix) for value in enum.values if value.number]
    lower = enum.name in ("LrSchedule", "Precision", "CrfBackend", "Strand")
    return {name.lower() if lower else name for name in names}


def _range(info: FieldInfo) -> str:
    low = high = ""
    for bound in info.metadata:
        if isinstance(bound, annotated_types.Ge):
            low = f"[{bound.ge}"
        elif isinstance(bound, annotated_types.Gt):
            low = f"({bound.gt}"
        elif isinstance(bound, annotated_types.Le):
            high = f"{bound.le}]"
        elif isinstance(bound, annotated_types.Lt):
            high = f"{bound.lt})"
    return f"Range: {low}, {high}." if low else ""
