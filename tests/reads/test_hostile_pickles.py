"""Pickles that try to run something. Each marks a file when it succeeds; none may, and each is refused."""

from __future__ import annotations

import builtins
import copyreg
import functools
import importlib
import io
import operator
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import LabelBinarizer, OneHotEncoder

from readlabel.messages import InputError, Library
from readlabel.reads import _unpickler
from readlabel.reads.pickles import load_label_binarizer, load_pair

MARK = "READLABEL_TEST_MARK"


class Reduced:
    """Pickles as a call of `function` with `arguments`, and a state to build."""

    def __init__(self, function: Callable[..., Any], *arguments: object, state: object = None) -> None:
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced


def touch() -> str:
    return f"open(__import__('os').environ['{MARK}'], 'w').close()"


def op(*parts: bytes | str) -> bytes:
    """A pickle program of protocol 0 to 4 opcodes."""
    return b"".join(part.encode() if isinstance(part, str) else part for part in parts) + b"."


def stack_global(module: str, name: str) -> bytes:
    return b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name)) + b"\x93"


def text(value: str) -> bytes:
    return b"X" + len(value.encode()).to_bytes(4, "little") + value.encode()


class WithPersistentId(pickle.Pickler):
    def persistent_id(self, value: object) -> str | None:
        return touch() if isinstance(value, bytes) else None


def persistent() -> bytes:
    buffer = io.BytesIO()
    WithPersistentId(buffer).dump([b"x"])
    return buffer.getvalue()


def objects(*items: object) -> np.ndarray[Any, Any]:
    array = np.empty(len(items), object)
    array[:] = items
    return array


ARRAY = stack_global("numpy.core.multiarray", "_reconstruct")
NDARRAY = stack_global("numpy", "ndarray")
DTYPE = stack_global("numpy", "dtype")
BINARIZER = stack_global("sklearn.preprocessing._label", "LabelBinarizer")
EVAL = stack_global("builtins", "eval")
CALL_EVAL = EVAL + text(touch()) + b"\x85R"

CORPUS: dict[str, Callable[[], bytes]] = {
    "os.system": lambda: pickle.dumps(Reduced(os.system, f'touch "${MARK}"')),
    "subprocess": lambda: pickle.dumps(Reduced(subprocess.call, ["sh", "-c", f'touch "${MARK}"'])),
    "eval": lambda: pickle.dumps(Reduced(eval, touch())),
    "exec": lambda: pickle.dumps(Reduced(exec, touch())),
    "getattr": lambda: op("cbuiltins\ngetattr\n", "cos\nsystem\n", text("x"), b"\x86R"),
    "import": lambda: pickle.dumps(Reduced(importlib.import_module, "antigravity")),
    "partial": lambda: pickle.dumps(functools.partial(eval, touch())),
    "map in a list": lambda: pickle.dumps([Reduced(list, Reduced(map, eval, [touch()]))]),
    "attrgetter": lambda: pickle.dumps(operator.attrgetter("__globals__")),
    "methodcaller": lambda: pickle.dumps(operator.methodcaller("read")),
    "nested in a list of lists": lambda: pickle.dumps([["5p", Reduced(eval, touch())]]),
    "as a dictionary's key": lambda: pickle.dumps({Reduced(eval, touch()): 1}),
    "in an array of objects": lambda: pickle.dumps(objects("ACGT", Reduced(eval, touch()))),
    "in an array of objects, protocol 2": lambda: pickle.dumps(objects("ACGT", Reduced(eval, touch())), 2),
    "in a binarizer's state": lambda: pickle.dumps(_fitted(objects("a", Reduced(eval, touch())))),
    "another estimator": lambda: pickle.dumps(OneHotEncoder()),
    "copyreg._reconstructor": lambda: pickle.dumps(Reduced(copyreg._reconstructor, Path, object, None)),
    "copyreg.__newobj__": lambda: op("ccopyreg\n__newobj__\n", "cbuiltins\ndict\n", b"\x85R"),
    "extension code": lambda: op(b"\x80\x02\x82\x01"),
    "persistent id": persistent,
    "persistent id, protocol 0": lambda: op("P", touch(), "\n"),
    "GLOBAL and REDUCE": lambda: op("cbuiltins\neval\n(V", touch(), "\ntR"),
    "INST": lambda: op("(V", touch(), "\nibuiltins\neval\n"),
    "OBJ": lambda: op("(", "cbuiltins\neval\n", "V", touch(), "\no"),
    "NEWOBJ": lambda: op(b"\x80\x04", EVAL, text(touch()), b"\x85\x81"),
    "NEWOBJ_EX": lambda: op(b"\x80\x04", EVAL, text(touch()), b"\x85}\x92"),
    "a module's attribute by a dotted name": lambda: op(b"\x80\x04", stack_global("numpy", "ndarray.__class__")),
    "numpy's own loader": lambda: op(b"\x80\x04", stack_global("numpy", "load")),
    "numpy.f2py": lambda: op(b"\x80\x04", stack_global("numpy.f2py", "compile")),
    "numpy.testing runstring": lambda: op(
        b"\x80\x04", stack_global("numpy.testing._private.utils", "runstring"), text(touch()), b"}\x86R"
    ),
    "joblib": lambda: op(b"\x80\x04", stack_global("joblib", "load")),
    "eval as the array's class": lambda: op(b"\x80\x04", ARRAY, EVAL, b"K\x00\x85C\x01b\x87R"),
    "eval as the array's data": lambda: op(
        b"\x80\x04", ARRAY, NDARRAY, b"K\x00\x85C\x01b\x87R", b"(K\x01K\x01\x85", CALL_EVAL
    ),
    "a dtype that is a class": lambda: op(b"\x80\x04", DTYPE, NDARRAY, b"\x85R"),
    "a dtype of records": lambda: pickle.dumps(np.zeros(2, [("a", "i4"), ("b", "O")])),
    "a dtype from text that numpy would parse": lambda: op(b"\x80\x04", DTYPE, text("i4,O"), b"\x85R"),
    "BUILD on the dtype factory": lambda: op(b"\x80\x04", DTYPE, b"}", text("__call__"), NDARRAY, b"sb"),
    "BUILD with slots on the dtype factory": lambda: op(
        b"\x80\x04", DTYPE, b"N}", text("__call__"), NDARRAY, b"s\x86b"
    ),
    "BUILD with slots on an array record": lambda: op(
        b"\x80\x04", ARRAY, NDARRAY, b"K\x00\x85C\x01b\x87R", b"N}", text("plain"), NDARRAY, b"s\x86b"
    ),
    "BUILD on the binarizer's class": lambda: op(b"\x80\x04", BINARIZER, b"}", text("__setstate__"), NDARRAY, b"sb"),
    "BUILD with slots on the binarizer's class": lambda: op(
        b"\x80\x04", BINARIZER, b"N}", text("__setstate__"), NDARRAY, b"s\x86b"
    ),
    "APPENDS to a record": lambda: op(b"\x80\x04", DTYPE, text("O"), b"\x85R(", text("x"), b"e"),
    "SETITEMS on a record": lambda: op(b"\x80\x04", DTYPE, text("O"), b"\x85R(", text("x"), text("y"), b"u"),
    "a call of the array's class": lambda: op(b"\x80\x04", NDARRAY, b")R"),
    "codecs with another encoding": lambda: op(
        b"\x80\x02c_codecs\nencode\n", text("x"), text("unicode_escape"), b"\x86R"
    ),
    "codecs with an error handler": lambda: op(
        b"\x80\x02c_codecs\nencode\n", text("x"), text("latin1"), text("strict"), b"\x87R"
    ),
    "codecs.decode": lambda: op(b"\x80\x02c_codecs\ndecode\n", text("x"), b"\x85R"),
    "a bytearray by name": lambda: pickle.dumps(bytearray(b"x"), 2),
    "a set by name": lambda: pickle.dumps({"a"}, 2),
    "a memo that was never set": lambda: op(b"\x80\x04h\x05"),
    "an empty stack": lambda: op(b"\x80\x04R"),
    "an unknown protocol": lambda: op(b"\x80\x7f]"),
    "an unknown opcode": lambda: op(b"\x80\x04\xff"),
    "a string longer than the file": lambda: op(b"\x80\x04\x8d", (1 << 62).to_bytes(8, "little"), b"x"),
    "a deep nest": lambda: op(b"\x80\x04", b"(" * 200_000),
}


def _fitted(classes: object) -> LabelBinarizer:
    binarizer = LabelBinarizer()
    binarizer.classes_ = classes
    return binarizer


@pytest.fixture(params=CORPUS)
def hostile(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "hostile.pkl"
    path.write_bytes(CORPUS[request.param]())
    return path


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file that a pickle which runs would make; and no import, eval or exec may be seen either."""
    path = tmp_path / "ran"
    monkeypatch.setenv(MARK, str(path))
    modules = set(sys.modules)
    yield path
    assert not path.exists(), "the pickle ran something"
    assert set(sys.modules) == modules, "the pickle imported something"


def test_the_corpus_does_run_when_pickle_itself_loads_it(tmp_path: Path, mark: Path) -> None:
    """Otherwise the other tests would show nothing."""
    for name in (
        "os.system",
        "eval",
        "exec",
        "map in a list",
        "in an array of objects",
        "GLOBAL and REDUCE",
        "INST",
        "OBJ",
    ):
        pickle.loads(CORPUS[name]())
        assert mark.exists(), name
        mark.unlink()


def test_as_reads_it_is_refused_and_nothing_runs(hostile: Path, mark: Path, library_3p: Library) -> None:
    with pytest.raises(InputError, match=r"hostile\.pkl"):
        load_pair(hostile, hostile, library_3p)


def test_as_labels_it_is_refused_and_nothing_runs(
    tmp_path: Path, hostile: Path, mark: Path, library_3p: Library
) -> None:
    reads = tmp_path / "reads.pkl"
    reads.write_bytes(pickle.dumps(["ACGT"]))
    with pytest.raises(InputError, match=r"hostile\.pkl"):
        load_pair(reads, hostile, library_3p)


def test_as_a_binarizer_it_is_refused_and_nothing_runs(hostile: Path, mark: Path) -> None:
    with pytest.raises(InputError, match=r"hostile\.pkl"):
        load_label_binarizer(hostile)


def test_no_pickle_changes_the_stand_ins_for_the_next(hostile: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        load_label_binarizer(hostile)
    path = tmp_path / "good.pkl"
    path.write_bytes(pickle.dumps(_fitted(np.array(["5p", "CBC"]))))
    assert load_label_binarizer(path) == ("5p", "CBC")


def test_a_refusal_names_what_the_pickle_asked_for(tmp_path: Path, library_3p: Library) -> None:
    path = tmp_path / "reads.pkl"
    path.write_bytes(CORPUS["GLOBAL and REDUCE"]())
    with pytest.raises(InputError, match=r"only lists, strings and numpy arrays may be in it: builtins\.eval"):
        load_pair(path, path, library_3p)


def test_a_refusal_always_has_a_reason(tmp_path: Path, library_3p: Library) -> None:
    path = tmp_path / "reads.pkl"
    path.write_bytes(b"\x80\x04\x8e" + (2**62).to_bytes(8, "little") + b".")  # bytes of more than any memory
    with pytest.raises(InputError, match=r"may be in it: MemoryError$"):
        load_pair(path, path, library_3p)


def test_every_stand_in_belongs_to_the_unpickler_itself() -> None:
    for stand_in in _unpickler.InertUnpickler(io.BytesIO(), binarizer=True)._allowed.values():
        kind = stand_in if isinstance(stand_in, type) else type(stand_in)
        assert kind.__module__ == _unpickler.__name__
        assert not hasattr(stand_in, "__dict__") or isinstance(stand_in, type)
        assert not hasattr(builtins, kind.__name__)
