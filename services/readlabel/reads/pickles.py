"""tranquillyzer's pickles: reads, labels, label binarizers. Nothing in a pickle is ever run (see `_unpickler`).

``reads.pkl`` is a list of str, ``labels.pkl`` a list of lists of str with one label a base, ``*_lbl_bin.pkl`` a
scikit-learn LabelBinarizer. Pickles enter and labelled reads leave; and back.
"""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from readlabel.artifacts.atomic import AtomicFile
from readlabel.messages import BlobRef, InputError, Library, Message, Problem
from readlabel.reads._unpickler import BinarizerRecord, load_inert, plain
from readlabel.reads.labelled import KINDS, STRANDS, LabelledReads, runs
from readlabel.reads.tokens import letters_of, tokenize

READS_NAME = "reads.pkl"
LABELS_NAME = "labels.pkl"
MAX_PROBLEMS = 20
"""Faulty reads named in one error; more would bury the message."""


class ImportProvenance(Message):
    """What a file of imported reads says about where they come from."""

    reads: BlobRef
    labels: BlobRef


def load_pair(reads_pkl: Path, labels_pkl: Path, library: Library) -> LabelledReads:
    """Load a pair as tranquillyzer's simulate-data writes it.

    Neighbours 2i and 2i + 1 share a pair number: there a read and its reverse complement are neighbours.

    Args:
        reads_pkl: list of str.
        labels_pkl: list of lists of str; numpy arrays of str serve for either list too.
        library: knows the labels.

    Raises:
        InputError: a pickle holds anything but lists, strings and numpy arrays; the numbers of reads and of labels
            differ; a read is empty, holds a letter that is no nucleotide or has a label the library lacks.
    """
    _require_no_sequencer_reads(reads_pkl)
    sequences = _strings(load_inert(reads_pkl), reads_pkl)
    label_lists = plain(load_inert(labels_pkl), labels_pkl)
    if not isinstance(label_lists, list):
        raise InputError(f"{labels_pkl}: holds no list of label lists")
    if not sequences:
        raise InputError(f"{reads_pkl}: holds no reads")
    if len(sequences) != len(label_lists):
        raise InputError(
            f"{reads_pkl} holds {len(sequences)} reads and {labels_pkl} the labels of {len(label_lists)}; "
            "a pair has equal numbers"
        )
    code_of = {name: code for code, name in enumerate(library.labels)}
    tokens: list[NDArray[np.uint8]] = []
    labels: list[NDArray[np.uint8]] = []
    problems: list[Problem] = []
    strange: dict[str, list[int]] = {}
    for index, (sequence, names) in enumerate(zip(sequences, label_lists, strict=True)):
        try:
            tokens.append(tokenize(sequence, f"{index} of {reads_pkl}"))
            labels.append(_codes(plain(names, labels_pkl), code_of, index, len(sequence), labels_pkl))
        except _StrangeLabels as error:
            for name in error.names:
                strange.setdefault(name, []).append(index)
        except InputError as error:
            problems += error.problems
            if len(problems) >= MAX_PROBLEMS:
                break
    known = ", ".join(dict.fromkeys(segment.name for segment in library.segments))
    for name, at in list(strange.items())[:MAX_PROBLEMS]:
        others = f" and {len(at) - 1} others" if len(at) > 1 else ""
        where = f"read {at[0]}{others} of {labels_pkl}"
        problems.append(Problem(where, f"label {name} is none of the library's: {known}"))
    if problems:
        raise InputError(problems)
    return _imported(library, tokens, labels)


@dataclass(frozen=True)
class PairPart:
    """Opcodes that append some reads to either list; a part can be made in any process.

    Attributes:
        reads: for ``reads.pkl``.
        labels: for ``labels.pkl``, whose label names are memoized in the order of `LabelledReads.label_names`.
    """

    reads: bytes
    labels: bytes


def encode_pair(reads: LabelledReads) -> PairPart:
    """Reads as pickle opcodes. A label costs two bytes (BINGET and its index), which numpy lays out for all at once."""
    letters = letters_of(reads.tokens)
    gets = np.empty((reads.num_bases, 2), np.uint8)
    gets[:, 0] = pickle.BINGET[0]
    gets[:, 1] = reads.labels
    flat = gets.reshape(-1).data
    sequences: list[bytes] = []
    lists: list[bytes | memoryview] = []
    for start, end in pairwise(reads.offsets.tolist()):
        sequences += (_string_opcodes(letters[start:end]), pickle.APPEND)
        lists += (pickle.EMPTY_LIST + pickle.MARK, flat[2 * start : 2 * end], pickle.APPENDS + pickle.APPEND)
    return PairPart(b"".join(sequences), b"".join(lists))


class PairWriter:
    """Writes the pair that tranquillyzer's train-model reads, opcode by opcode: no list of all labels ever exists."""

    def __init__(self, reads: AtomicFile, labels: AtomicFile, label_names: tuple[str, ...]) -> None:
        """Begin both lists.

        Args:
            reads: becomes ``reads.pkl``.
            labels: becomes ``labels.pkl``.
            label_names: of the reads that will come.
        """
        self._reads = reads
        self._labels = labels
        self._reads.write(pickle.PROTO + b"\x04" + pickle.EMPTY_LIST)
        self._labels.write(pickle.PROTO + b"\x04")
        for name in label_names:
            self._labels.write(_string_opcodes(name.encode()) + pickle.MEMOIZE + pickle.POP)
        self._labels.write(pickle.EMPTY_LIST)

    def append(self, part: PairPart) -> None:
        """Append some reads to both."""
        self._reads.write(part.reads)
        self._labels.write(part.labels)

    def close(self) -> None:
        """End both lists; the files stay open."""
        self._reads.write(pickle.STOP)
        self._labels.write(pickle.STOP)


def load_label_binarizer(path: Path) -> tuple[str, ...]:
    """The classes of a pickled scikit-learn LabelBinarizer, in its order; scikit-learn itself is not involved.

    Raises:
        InputError: the file holds anything else.
    """
    record = load_inert(path, binarizer=True)
    if not isinstance(record, BinarizerRecord) or not isinstance(record.state, dict):
        raise InputError(f"{path}: holds no fitted LabelBinarizer")
    classes = _strings(record.state.get("classes_"), path)
    if not classes or len(set(classes)) != len(classes):
        raise InputError(f"{path}: its classes_ are empty or repeat a label")
    return tuple(classes)


def _strings(value: Any, path: Path) -> list[str]:
    """A list of str from a list or a one-dimensional array of str."""
    value = plain(value, path)
    items = value.tolist() if isinstance(value, np.ndarray) and value.ndim == 1 else value
    if not isinstance(items, list):
        raise InputError(f"{path}: holds no list of strings")
    for index, item in enumerate(items):
        if not isinstance(item, str):
            swapped = "; it holds lists, as labels.pkl does: was one given for the other?"
            raise InputError(f"{path}: item {index} is no string{swapped if isinstance(item, list) else ''}")
    return items


def _require_no_sequencer_reads(path: Path) -> None:
    """Raise InputError for FASTQ or FASTA, gzip too: nobody knows the labels of such reads."""
    try:
        with path.open("rb") as file:
            first = file.read(2)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    if first[:1] in (b"@", b">") or first == b"\x1f\x8b":
        raise InputError(
            f"{path}: is no pickle; a model is trained on reads whose labels are known, as tranquillyzer's "
            "simulate-data writes them. To label FASTQ or FASTA with a trained model: readlabel label"
        )


class _StrangeLabels(Exception):  # noqa: N818 - counted over all reads, then told as one InputError
    """Labels of a read that the library lacks, as they would be written in Python."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(names)
        self.names = names


def _codes(names: Any, code_of: dict[str, int], index: int, num_bases: int, path: Path) -> NDArray[np.uint8]:
    """Label indices of one read."""
    where = f"read {index} of {path}"
    if isinstance(names, np.ndarray):
        names = names.tolist()
    if not isinstance(names, list):
        raise InputError(f"{where}: its labels are no list")
    if len(names) != num_bases:
        raise InputError(f"{where}: it has {num_bases} bases and {len(names)} labels; there is one label a base")
    try:
        return np.frombuffer(bytes(map(code_of.__getitem__, names)), np.uint8)
    except (KeyError, TypeError):
        strange = {f"{name!r:.80}" for name in names if not isinstance(name, str) or name not in code_of}
        raise _StrangeLabels(sorted(strange)) from None


def _imported(library: Library, tokens: list[NDArray[np.uint8]], labels: list[NDArray[np.uint8]]) -> LabelledReads:
    count = len(tokens)
    offsets = np.concatenate([[0], np.cumsum([len(read) for read in tokens])]).astype(np.int64)
    flat_labels = np.concatenate(labels)
    return LabelledReads(
        label_names=library.labels,
        offsets=offsets,
        tokens=np.concatenate(tokens),
        labels=flat_labels,
        read_ids=np.array([f"imported-{index}" for index in range(count)]),
        pair=np.arange(count) // 2,
        kind=np.full(count, KINDS.index("imported"), np.uint8),
        strand=np.full(count, STRANDS.index("."), np.uint8),
        segments=runs(offsets, flat_labels),
        transcript=np.full(count, None, object),
    )


def _string_opcodes(text: bytes) -> bytes:
    """Opcodes that push a str."""
    if len(text) < 256:
        return pickle.SHORT_BINUNICODE + bytes([len(text)]) + text
    return pickle.BINUNICODE + struct.pack("<I", len(text)) + text
