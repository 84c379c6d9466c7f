"""Any frozen pydantic message to its proto twin and back, by name, without code for a single field.

The rules, which `tests/wire/test_twins.py` checks for every pair: same field names; int ↔ int32 or int64,
float ↔ double, bool ↔ bool, str ↔ string, Literal ↔ enum (``plateau`` of LrSchedule ↔ ``LR_SCHEDULE_PLATEAU``),
tuple ↔ repeated, dict ↔ map, message ↔ message, a str that holds an RFC 3339 time ↔ google.protobuf.Timestamp.
None, and a time that is the empty string, are fields that are not set; a field that is not set takes pydantic's
default.
"""

from __future__ import annotations

import itertools
import re
import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from google.protobuf import message as proto_message
from google.protobuf import timestamp_pb2
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.unknown_fields import UnknownFieldSet  # type: ignore[import-not-found]
from pydantic import ValidationError

from readlabel.messages import InputError, Message, Problem

M = TypeVar("M", bound=Message)
P = TypeVar("P", bound=proto_message.Message)

MAX_ITEMS = 1000
"""Items of a list, and fields that are not known, that a caller's message may have before it is looked at further."""

_TIMESTAMP = timestamp_pb2.Timestamp.DESCRIPTOR.full_name


def to_proto(message: Message, kind: type[P]) -> P:
    """Translate a pydantic message into its proto twin.

    Args:
        message: any message.
        kind: the proto class of the same fields.

    Returns:
        A proto message in which every field that is not None is set, defaults too.
    """
    proto = kind()
    _fill(message, proto)
    return proto


def from_proto(proto: proto_message.Message, kind: type[M], where: str = "", *, closed: bool = False) -> M:
    """Translate a proto message into its pydantic twin, which validates it.

    Args:
        proto: any proto message.
        kind: the pydantic class of the same fields.
        where: path of the message in its request, such as ``training_run.spec``, for the findings.
        closed: whether a field that this version does not know is an error. A caller's wish must not be ignored;
            a newer service may say more than this client understands.

    Raises:
        InputError: with every problem found, each naming its field.
    """
    problems: list[Problem] = []
    values = _values(proto, kind, where, closed, problems)
    try:
        message = kind.model_validate(values)
    except ValidationError as error:
        findings = [_problem(dict(finding), where) for finding in error.errors(include_url=False)]
        # Pydantic calls an unreadable value missing, and a tuple of bad items too short: said once is enough.
        places = [problem.where for problem in problems + findings]
        known = {problem.where for problem in problems}
        problems += [
            finding
            for finding in findings
            if finding.where not in known and not any(place.startswith(f"{finding.where}[") for place in places)
        ]
    if problems:
        raise InputError(problems)
    return message


def enum_name(enum: EnumDescriptor, word: str) -> str:
    """Name of an enum's value for a word of the pydantic Literal: ``RunState``, ``QUEUED`` → ``RUN_STATE_QUEUED``."""
    prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper()
    return f"{prefix}_{word.upper()}"


def unknown_fields(proto: proto_message.Message, where: str) -> list[Problem]:
    """The fields of a message, not of those in it, that this version does not know; at most `MAX_ITEMS`."""
    return [
        Problem(_join(where, f"#{unknown.field_number}"), "this service's version does not know a field of this number")
        for unknown in itertools.islice(UnknownFieldSet(proto), MAX_ITEMS)
    ]


def bare_type(annotation: Any) -> Any:
    """An annotation without Annotated and without the None of an optional."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not types.NoneType]
        if len(kinds) == 1:
            return bare_type(kinds[0])
    return annotation


def item_type(annotation: Any) -> Any:
    """The type of a tuple's items, or of the thing itself."""
    annotation = bare_type(annotation)
    return bare_type(get_args(annotation)[0]) if get_origin(annotation) is tuple else annotation


def _fill(message: Message, proto: proto_message.Message) -> None:
    for name in type(message).model_fields:
        value = getattr(message, name)
        field = proto.DESCRIPTOR.fields_by_name[name]
        if value is None:
            continue
        target = getattr(proto, name)
        if isinstance(value, Mapping):
            target.update(value)
        elif isinstance(value, tuple):
            if field.message_type is not None:
                for item in value:
                    _fill(item, target.add())
            else:
                target.extend(value)
        elif isinstance(value, Message):
            target.SetInParent()
            _fill(value, target)
        elif field.message_type is not None and field.message_type.full_name == _TIMESTAMP:
            if value:
                target.FromJsonString(value)
        elif field.enum_type is not None:
            setattr(proto, name, field.enum_type.values_by_name[enum_name(field.enum_type, value)].number)
        else:
            setattr(proto, name, value)


def _values(
    proto: proto_message.Message, kind: type[Message], where: str, closed: bool, problems: list[Problem]
) -> dict[str, Any]:
    if closed:
        problems += unknown_fields(proto, where)
    values: dict[str, Any] = {}
    for name, info in kind.model_fields.items():
        field = proto.DESCRIPTOR.fields_by_name[name]
        place = _join(where, name)
        inner = item_type(info.annotation)
        value = getattr(proto, name)
        if closed and field.label == FieldDescriptor.LABEL_REPEATED and len(value) > MAX_ITEMS:
            problems.append(Problem(place, f"{len(value)} items; no list here is so long"))
        elif field.label == FieldDescriptor.LABEL_REPEATED:
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                values[name] = dict(value)
            elif field.message_type is not None:
                values[name] = [
                    _values(item, inner, f"{place}[{index}]", closed, problems) for index, item in enumerate(value)
                ]
            else:
                values[name] = list(value)
        elif field.has_presence and not proto.HasField(name):
            continue
        elif field.message_type is not None and field.message_type.full_name == _TIMESTAMP:
            values[name] = _time(value, place, problems)
        elif field.message_type is not None:
            values[name] = _values(value, inner, place, closed, problems)
        elif field.enum_type is not None:
            word = _word(field.enum_type, value, inner, place, problems)
            if word is not None:
                values[name] = word
        else:
            values[name] = value
    return values


def _word(enum: EnumDescriptor, number: int, literal: Any, place: str, problems: list[Problem]) -> str | None:
    """The Literal's word for an enum's number; None when it is not set or, with a problem noted, not known."""
    if number == 0:
        return None
    words = {enum_name(enum, word): word for word in get_args(literal)} if get_origin(literal) is Literal else {}
    value = enum.values_by_number.get(number)
    if value is None or value.name not in words:
        problems.append(Problem(place, f"{number} is no value of {enum.name}; allowed are {', '.join(words)}"))
        return None
    return str(words[value.name])


def _time(value: timestamp_pb2.Timestamp, place: str, problems: list[Problem]) -> str:
    try:
        return str(value.ToJsonString())
    except (ValueError, OverflowError):
        problems.append(Problem(place, "is no time between the years 1 and 9999"))
        return ""


def _problem(finding: dict[str, Any], where: str) -> Problem:
    place = where
    for part in finding["loc"]:
        place = f"{place}[{part}]" if isinstance(part, int) else _join(place, str(part))
    text = str(finding["msg"]).removeprefix("Value error, ")
    if finding["type"] == "missing":
        return Problem(place, "is required")
    given = finding.get("input")
    shown = f" (given: {given!r:.60})" if isinstance(given, int | float | str) and repr(given) not in text else ""
    return Problem(place, text + shown)


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
