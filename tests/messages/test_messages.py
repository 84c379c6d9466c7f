from __future__ import annotations

import doctest

import pytest
from pydantic import ValidationError

from readlabel.messages import (
    ENGINE_REVISION,
    BlobRef,
    GridPoint,
    Hyperparameters,
    Library,
    RunSpec,
    TrainingOptions,
    hyperparameters,
    library,
)

READS = BlobRef(sha256="a" * 64, size_bytes=10)


def spec(library_: Library, **changes: object) -> RunSpec:
    point = GridPoint(hyperparameters=Hyperparameters(**changes), library=library_)  # type: ignore[arg-type]
    return RunSpec(point=point, training_reads=READS, validation_reads=READS)


def test_examples_in_the_docstrings_hold() -> None:
    for module in (hyperparameters, library):
        assert doctest.testmod(module).failed == 0


def test_a_run_is_named_by_everything_that_decides_its_outcome(library_3p: Library) -> None:
    first = spec(library_3p)
    assert first.run_id == spec(library_3p).run_id
    assert first.run_id != spec(library_3p, dropout_rate=0.1).run_id
    seeded = first.model_copy(update={"point": first.point.model_copy(update={"options": TrainingOptions(seed=2)})})
    assert first.run_id != seeded.run_id
    newer = first.point.model_copy(update={"engine_revision": ENGINE_REVISION + 1})
    assert first.run_id != first.model_copy(update={"point": newer}).run_id


def test_a_message_survives_json(library_3p: Library) -> None:
    first = spec(library_3p, learning_rate=1e-4)
    assert RunSpec.model_validate_json(first.model_dump_json()) == first
    assert RunSpec.model_validate_json(first.canonical_json()).run_id == first.run_id


@pytest.mark.parametrize(
    "wrong",
    [{"batch_size": 0}, {"dropout_rate": 1.0}, {"learning_rate": float("nan")}, {"epochs": 1.5}, {"unknown": 1}],
)
def test_a_hyperparameter_out_of_range_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Hyperparameters.model_validate(wrong)


def test_the_inclusive_ends_of_train_fraction_are_allowed() -> None:
    assert Hyperparameters(train_fraction=0).train_fraction == 0
    assert Hyperparameters(train_fraction=1).train_fraction == 1
