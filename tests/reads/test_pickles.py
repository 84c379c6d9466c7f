from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.preprocessing import LabelBinarizer

from readlabel.artifacts.atomic import atomic_files
from readlabel.messages import InputError, Library
from readlabel.reads.labelled import LabelledReads
from readlabel.reads.pickles import PairWriter, encode_pair, load_label_binarizer, load_pair

DATA = Path(__file__).parent.parent / "data"
READS = ["ACGTN", "ggt", "TTTT"]
LABELS = [["5p", "5p", "CBC", "CBC", "UMI"], ["cDNA", "cDNA", "3p"], ["polyT"] * 4]

Make = Callable[..., LabelledReads]


def dump(folder: Path, reads: object, labels: object, protocol: int = 4) -> tuple[Path, Path]:
    paths = folder / "reads.pkl", folder / "labels.pkl"
    for path, value in zip(paths, (reads, labels), strict=True):
        path.write_bytes(pickle.dumps(value, protocol))
    return paths


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pair_of_lists_is_read(tmp_path: Path, library_3p: Library, protocol: int) -> None:
    reads = load_pair(*dump(tmp_path, READS, LABELS, protocol), library_3p)
    assert [reads.sequence_of(i) for i in range(3)] == ["ACGTN", "GGT", "TTTT"]
    assert [[reads.label_names[code] for code in reads.labels_of(i)] for i in range(3)] == LABELS
    assert reads.pair.tolist() == [0, 0, 1]
    assert {reads.kind_of(i) for i in range(3)} == {"imported"}
    assert [reads.segments.of(2), reads.transcript.tolist()] == [[(5, 0, 4)], [None] * 3]


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["U", object])
def test_numpy_arrays_serve_for_lists(tmp_path: Path, library_3p: Library, dtype: object, protocol: int) -> None:
    labels = [np.array(names, dtype) for names in LABELS]
    reads = load_pair(*dump(tmp_path, np.array(READS, dtype), labels, protocol), library_3p)
    assert reads.sequence_of(1) == "GGT"
    assert reads.label_names[reads.labels_of(1)[2]] == "3p"


def test_an_array_of_label_lists_is_read(tmp_path: Path, library_3p: Library) -> None:
    ragged = np.empty(3, object)
    ragged[:] = LABELS
    assert len(load_pair(*dump(tmp_path, READS, ragged), library_3p)) == 3


def test_numpy_strings_in_a_list_are_strings(tmp_path: Path, library_3p: Library) -> None:
    labels = [[np.str_(name) for name in names] for names in LABELS]
    assert len(load_pair(*dump(tmp_path, [np.str_(read) for read in READS], labels), library_3p)) == 3


def test_arrays_of_numpy_2_are_read(tmp_path: Path, library_3p: Library) -> None:
    paths = dump(tmp_path, np.array(READS), [np.array(names) for names in LABELS])
    for path in paths:
        # numpy 2 names its modules numpy._core; in protocol 4 a name is a length and its bytes.
        old, new = b"numpy.core.multiarray", b"numpy._core.multiarray"
        frameless = path.read_bytes().replace(bytes([len(old)]) + old, bytes([len(new)]) + new)
        path.write_bytes(frameless[:2] + frameless[11:])
    assert len(load_pair(*paths, library_3p)) == 3


def test_the_pair_in_the_repository_is_read(library_3p: Library) -> None:
    reads = load_pair(DATA / "reads.pkl", DATA / "labels.pkl", library_3p)
    assert len(reads) == 40
    assert (reads.lengths > 50).all()


def write_pair(folder: Path, label_names: tuple[str, ...], *batches: LabelledReads) -> None:
    with atomic_files() as begin:
        pair = PairWriter(begin(folder / "reads.pkl"), begin(folder / "labels.pkl"), label_names)
        for batch in batches:
            pair.append(encode_pair(batch))
        pair.close()


def test_a_pair_we_write_is_what_pickle_itself_reads(tmp_path: Path, make_reads: Make) -> None:
    reads = make_reads(30, longest=600)
    write_pair(tmp_path, reads.label_names, reads.slice(0, 7), reads.slice(7, 30))
    sequences = pickle.loads((tmp_path / "reads.pkl").read_bytes())
    labels = pickle.loads((tmp_path / "labels.pkl").read_bytes())
    assert sequences == [reads.sequence_of(i) for i in range(30)]
    assert labels == [[reads.label_names[code] for code in reads.labels_of(i)] for i in range(30)]


def test_a_pair_we_write_is_imported_again(tmp_path: Path, make_reads: Make, library_3p: Library) -> None:
    reads = make_reads(30)
    write_pair(tmp_path, reads.label_names, reads)
    found = load_pair(tmp_path / "reads.pkl", tmp_path / "labels.pkl", library_3p)
    np.testing.assert_array_equal(found.tokens, reads.tokens)
    np.testing.assert_array_equal(found.labels, reads.labels)


def test_no_reads_are_a_pair_of_empty_lists(tmp_path: Path) -> None:
    write_pair(tmp_path, ("cDNA",))
    assert pickle.loads((tmp_path / "reads.pkl").read_bytes()) == []
    assert pickle.loads((tmp_path / "labels.pkl").read_bytes()) == []


@pytest.mark.parametrize(
    ("reads", "labels", "message"),
    [
        (READS, LABELS[:2], r"3 reads and .*labels\.pkl the labels of 2"),
        (READS, [LABELS[0], LABELS[1], ["polyT"] * 3], r"read 2 of .*labels\.pkl: it has 4 bases and 3 labels"),
        (READS, [LABELS[0], ["cDNA", "cDNA", "4p"], LABELS[2]], "read 1 of .*: label '4p' is none of the library's"),
        (READS, [LABELS[0], ["cDNA", "cDNA", 7], LABELS[2]], "read 1 of .*: label 7 is none"),
        (READS, [LABELS[0], ["cDNA", "cDNA", ["3p"]], LABELS[2]], r"read 1 of .*: label \['3p'\] is none"),
        (READS, [LABELS[0], "GGT", LABELS[2]], "read 1 of .*: its labels are no list"),
        (["ACGTN", "", "TTTT"], LABELS, r"read 1 of .*reads\.pkl: it is empty"),
        (["ACGTN", "gXt", "TTTT"], LABELS, r"read 1 of .*reads\.pkl: 'X' at position 2"),
        (["ACGTN", 5, "TTTT"], LABELS, r"reads\.pkl: item 1 is no string$"),
        (LABELS, READS, r"reads\.pkl: item 0 is no string; it holds lists, as labels\.pkl does"),
        ("ACGTN", LABELS, r"reads\.pkl: holds no list"),
        (READS, {"labels": LABELS}, r"labels\.pkl: holds no list"),
        ([], [], "holds no reads"),
    ],
)
def test_a_faulty_pair_says_what_and_where(
    tmp_path: Path, library_3p: Library, reads: object, labels: object, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load_pair(*dump(tmp_path, reads, labels), library_3p)


def test_reads_of_a_sequencer_are_told_from_a_pickle(tmp_path: Path, library_3p: Library) -> None:
    _, labels = dump(tmp_path, READS, LABELS)
    fastq = tmp_path / "reads.fastq"
    fastq.write_text("@a\nACGT\n+\nIIII\n")
    with pytest.raises(InputError, match=r"reads\.fastq: is no pickle.* readlabel label$"):
        load_pair(fastq, labels, library_3p)


def test_several_faulty_reads_are_named_at_once(tmp_path: Path, library_3p: Library) -> None:
    with pytest.raises(InputError) as caught:
        load_pair(*dump(tmp_path, ["AC*TN", "", "TTTT"], LABELS), library_3p)
    assert len(caught.value.problems) == 2


def test_a_pickle_cut_short_is_refused(tmp_path: Path, library_3p: Library) -> None:
    reads, labels = dump(tmp_path, READS, LABELS)
    labels.write_bytes(labels.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"labels\.pkl"):
        load_pair(reads, labels, library_3p)


def test_a_missing_file_is_named(tmp_path: Path, library_3p: Library) -> None:
    with pytest.raises(InputError, match=r"reads\.pkl: cannot be read: No such file"):
        load_pair(tmp_path / "reads.pkl", tmp_path / "labels.pkl", library_3p)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_the_classes_of_a_label_binarizer_are_read(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "labels.pkl"
    path.write_bytes(pickle.dumps(LabelBinarizer().fit(["UMI", "CBC", "5p", "cDNA"]), protocol))
    assert load_label_binarizer(path) == ("5p", "CBC", "UMI", "cDNA")


def test_a_label_binarizer_fitted_to_objects_is_read(tmp_path: Path) -> None:
    path = tmp_path / "labels.pkl"
    path.write_bytes(pickle.dumps(LabelBinarizer().fit(np.array(["UMI", "CBC", "5p"], object))))
    assert load_label_binarizer(path) == ("5p", "CBC", "UMI")


@pytest.mark.parametrize("value", [LabelBinarizer(), ["5p", "CBC"], np.array(["5p"]), LabelBinarizer().fit([1, 2, 3])])
def test_what_is_no_fitted_binarizer_of_names_is_refused(tmp_path: Path, value: object) -> None:
    path = tmp_path / "labels.pkl"
    path.write_bytes(pickle.dumps(value))
    with pytest.raises(InputError, match=r"labels\.pkl"):
        load_label_binarizer(path)
