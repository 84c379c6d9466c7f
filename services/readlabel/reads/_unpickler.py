"""An unpickler that runs nothing a pickle brings: it knows lists, strings, numbers and, as inert records, numpy arrays.

A pickle is a program: its GLOBAL opcodes name any importable object, and REDUCE, NEWOBJ, OBJ, INST and BUILD call it.
`InertUnpickler` answers each name from a closed list, and what it answers are stand-ins of this module, never numpy's
or scikit-learn's own objects. A stand-in only keeps the arguments it is called with; it has no attribute that can be
set and no method that acts. Any other name, and any persistent id, is refused when it is met, before anything is
called. When the whole pickle is loaded, `plain` turns array records into numpy arrays, after checking dtype, shape and
size.
"""

from __future__ import annotations

import math
import pickle
import re
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from readlabel.messages import InputError

_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_NUMERIC_MODULES = ("numpy.core.numeric", "numpy._core.numeric")
_BINARIZER_MODULES = ("sklearn.preprocessing._label", "sklearn.preprocessing.label")
_DTYPE = re.compile(r"^[<>=|]?(?:O8?|[US][0-9]{1,9}|[iu][1248]|f[248]|b1|\?)$")

# What the C unpickler raises over a malformed program or over a stand-in used as something it is not.
_MALFORMED = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)


class _Name:
    """Stands for a class that a pickle only passes on as an argument (numpy.ndarray)."""

    __slots__ = ()


class _Dtype:
    """Record of a numpy dtype: its type string and byte order."""

    __slots__ = ("byte_order", "text")

    def __init__(self, text: object) -> None:
        if not isinstance(text, str) or not _DTYPE.match(text):
            raise pickle.UnpicklingError(f"a numpy array of type {text!r:.60}")
        self.text = text
        self.byte_order = ""

    def __setstate__(self, state: object) -> None:
        if not (isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">", "|", "=")):
            raise pickle.UnpicklingError("a numpy dtype of unknown form")
        self.byte_order = state[1]

    def dtype(self) -> np.dtype[Any]:
        bare = self.text.lstrip("<>=|")
        order = self.byte_order.replace("|", "") or self.text[: len(self.text) - len(bare)].replace("|", "")
        return np.dtype(order + bare)


class _Array:
    """Record of a numpy array: shape, dtype and data."""

    __slots__ = ("data", "dtype", "fortran", "shape")

    def __init__(self) -> None:
        self.shape: object = ()
        self.dtype: object = None
        self.fortran: object = False
        self.data: object = b""

    def __setstate__(self, state: object) -> None:
        if not (isinstance(state, tuple) and len(state) == 5):
            raise pickle.UnpicklingError("a numpy array of unknown form")
        _, self.shape, self.dtype, self.fortran, self.data = state

    def plain(self) -> Any:
        """The array; one of objects becomes the list of its elements."""
        if not (
            isinstance(self.dtype, _Dtype)
            and isinstance(self.shape, tuple)
            and all(isinstance(size, int) and size >= 0 for size in self.shape)
        ):
            raise pickle.UnpicklingError("a numpy array of unknown form")
        count = math.prod(self.shape)
        dtype = self.dtype.dtype()
        if dtype.hasobject:
            if not isinstance(self.data, list) or len(self.shape) != 1 or len(self.data) != count:
                raise pickle.UnpicklingError("a numpy array of objects that is no plain list of them")
            return self.data
        if not isinstance(self.data, bytes | bytearray) or len(self.data) != count * dtype.itemsize:
            raise pickle.UnpicklingError("a numpy array whose data do not fit its shape")
        return np.frombuffer(self.data, dtype).reshape(self.shape, order="F" if self.fortran else "C")


class _Call:
    """Stands for a function of numpy's that a pickle calls: calling it makes a record."""

    __slots__ = ()


class _MakeDtype(_Call):
    __slots__ = ()

    def __call__(self, text: object, _align: object = False, _copy: object = False) -> _Dtype:
        return _Dtype(text)


class _MakeArray(_Call):
    """numpy's _reconstruct: an empty array, whose state follows."""

    __slots__ = ()

    def __call__(self, _kind: object, _shape: object, _typecode: object) -> _Array:
        return _Array()


class _MakeFromBuffer(_Call):
    """numpy's _frombuffer: how protocol 5 keeps a contiguous array."""

    __slots__ = ()

    def __call__(self, data: object, dtype: object, shape: object, order: object) -> _Array:
        array = _Array()
        array.__setstate__((1, shape, dtype, order == "F", data))
        return array


class _MakeScalar(_Call):
    """numpy's scalar: a zero-dimensional array."""

    __slots__ = ()

    def __call__(self, dtype: object, data: object = b"") -> Any:
        array = _Array()
        array.__setstate__((1, (), dtype, False, data))
        return array.plain()[()]


class _Encode(_Call):
    """_codecs.encode, by which protocols 0 to 2 keep bytes; Latin-1 text only."""

    __slots__ = ()

    def __call__(self, text: object, encoding: object) -> bytes:
        if not isinstance(text, str) or encoding != "latin1":
            raise pickle.UnpicklingError("bytes of unknown form")
        return text.encode("latin-1")


class BinarizerRecord:
    """Stands for scikit-learn's LabelBinarizer: keeps its state as data."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


def _arrays() -> dict[tuple[str, str], object]:
    names: dict[tuple[str, str], object] = {("_codecs", "encode"): _Encode()}
    for module in _ARRAY_MODULES:
        names[module, "_reconstruct"] = _MakeArray()
        names[module, "scalar"] = _MakeScalar()
    for module in _NUMERIC_MODULES:
        names[module, "_frombuffer"] = _MakeFromBuffer()
    names["numpy", "ndarray"] = _Name()
    names["numpy", "dtype"] = _MakeDtype()
    return names


class InertUnpickler(pickle.Unpickler):
    """Loads one object; every name in the pickle is answered from a closed list of stand-ins."""

    def __init__(self, file: Any, *, binarizer: bool = False) -> None:
        super().__init__(file)
        self._allowed = _arrays()
        if binarizer:
            self._allowed |= {(module, "LabelBinarizer"): BinarizerRecord for module in _BINARIZER_MODULES}

    def find_class(self, module: str, name: str) -> Any:
        """Answer a name, or refuse it before anything is imported or called."""
        try:
            return self._allowed[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name}") from None

    def persistent_load(self, _pid: Any) -> NoReturn:
        """Refuse: nothing of ours writes persistent ids."""
        raise pickle.UnpicklingError("a persistent id")


def load_inert(path: Path, *, binarizer: bool = False) -> Any:
    """Load a pickle without running anything in it.

    Args:
        path: the pickle.
        binarizer: also allow scikit-learn's LabelBinarizer, as a `BinarizerRecord`.

    Returns:
        Lists, strings, numbers and records; `plain` makes an array of a record.

    Raises:
        InputError: the file is missing, cut short, or holds anything else.
    """
    allowed = "lists, strings and numpy arrays" + (" and a scikit-learn LabelBinarizer" if binarizer else "")
    try:
        with path.open("rb") as file:
            return InertUnpickler(file, binarizer=binarizer).load()
    except EOFError as error:
        raise InputError(f"{path}: the pickle is cut short") from error
    except _MALFORMED as error:
        raise InputError(f"{path}: refused, only {allowed} may be in it: {_reason(error)}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error


def plain(value: Any, path: Path) -> Any:
    """The numpy array (or, of objects, the list) that a record describes; any other value as it is.

    Raises:
        InputError: the record describes no array.
    """
    if not isinstance(value, _Array):
        return value
    try:
        return value.plain()
    except _MALFORMED as error:
        raise InputError(f"{path}: refused, it holds {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """What an exception says; many say nothing but their name."""
    return str(error) or type(error).__name__
