"""A variant goes into tranquillyzer's models folder under the names that its annotation command reads."""

from __future__ import annotations

import csv
import os
import pickle
from pathlib import Path

import pytest
from sklearn.preprocessing import LabelBinarizer

from readlabel.artifacts.names import LABEL_BINARIZER, SEQ_ORDERS, WEIGHTS
from readlabel.messages import InputError, OutputError
from readlabel.report.export import export
from readlabel.report.folders import open_folder
from readlabel.report.install import install


class Hostile:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch hostile",)


ROW_3P = (
    '10x3p_sc_ont\t"5p,CBC,UMI,polyT,cDNA,3p"\t"TCTACACGACGCTCTTCCGATCT,N16,N12,T,NN,CCCATGTACTCTGCGTTGATACCACTGCTT"'
    "\tCBC\tUMI\trev\n"
)


def tranquillyzer_reads(table: Path, name: str) -> list[str]:
    """Fields of a model's row, taken apart as tranquillyzer does it: quotation marks dropped, then tabs."""
    for line in table.read_text().splitlines():
        fields = line.strip().replace("'", "").replace('"', "").split("\t")
        if fields[0] == name:
            return fields
    raise AssertionError(f"no row {name}")


@pytest.mark.parametrize(
    ("crf", "expected"),
    [
        (True, {"10x3p_sc_ont_w_CRF.h5", "10x3p_sc_ont_w_CRF_params.json", "10x3p_sc_ont_w_CRF_lbl_bin.pkl"}),
        (False, {"10x3p_sc_ont.h5", "10x3p_sc_ont_params.json", "10x3p_sc_ont_lbl_bin.pkl"}),
    ],
)
def test_files_are_named_as_annotation_reads_them(tmp_path: Path, sample, make, crf: bool, expected: set[str]) -> None:
    run = make.run(tmp_path / "run", sample.reads, make.point(sample.library, crf_layer=crf))
    (tmp_path / "models").mkdir()
    written = install(open_folder(run), tmp_path / "models").files
    assert {path.name for path in (tmp_path / "models").iterdir()} == expected | {SEQ_ORDERS}
    assert written[-1] == tmp_path / "models" / SEQ_ORDERS
    assert (tmp_path / "models" / SEQ_ORDERS).read_text() == ROW_3P


def test_an_exported_variant_installs_under_another_name(tmp_path: Path, sample, make) -> None:
    run = make.run(tmp_path / "run", sample.reads, make.point(sample.library))
    folder = export(open_folder(run), "10x3p_sc_ont_2", tmp_path / "out", sample.path, 1)
    (tmp_path / "models").mkdir()
    install(open_folder(folder), tmp_path / "models", "mine_v2")
    assert (tmp_path / "models" / "mine_v2_w_CRF.h5").is_file()
    fields = tranquillyzer_reads(tmp_path / "models" / SEQ_ORDERS, "mine_v2")
    assert fields[1].split(",") == ["5p", "CBC", "UMI", "polyT", "cDNA", "3p"]
    assert fields[3:] == ["CBC", "UMI", "rev"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b"%s\n"),
        (b"a\t1,2\tX\t\t\tfwd\n", b"a\t1,2\tX\t\t\tfwd\n%s\n"),
        (b"# note\n\na\t'1'\tX", b"# note\n\na\t'1'\tX\n%s\n"),
        (b"a\tx\r\n%s\r\nb\ty\r\n", b"a\tx\r\n%s\r\nb\ty\r\n"),
        (b"\xef\xbb\xbf%s\nb\t\xff\n", b"%s\nb\t\xff\n"),
        (b"%s\nb\ty\n%s\n", b"%s\nb\ty\n"),
        (b"10x3p_sc_ont_old\tz\n", b"10x3p_sc_ont_old\tz\n%s\n"),
    ],
)
def test_other_rows_stay_byte_for_byte(tmp_path: Path, sample, make, before: bytes, after: bytes) -> None:
    run = make.run(tmp_path / "run", sample.reads, make.point(sample.library))
    table = tmp_path / "models" / SEQ_ORDERS
    table.parent.mkdir()
    # As somebody else wrote it: other quotation marks.
    table.write_bytes(before.replace(b"%s", ROW_3P.strip().replace('"', "'").encode()))
    assert install(open_folder(run), table.parent).replaced == ()
    assert table.read_bytes() == after % ROW_3P.strip().encode()
    assert len(install(open_folder(run), table.parent).replaced) == 3
    assert table.read_bytes() == after % ROW_3P.strip().encode()


def test_a_row_of_another_library_and_its_model_are_not_replaced(tmp_path: Path, sample, make) -> None:
    run = make.run(tmp_path / "run", sample.reads, make.point(sample.library))
    table = tmp_path / SEQ_ORDERS
    table.write_text(ROW_3P.replace("N16", "N12"))
    with pytest.raises(OutputError, match="a row of 10x3p_sc_ont that is of another library"):
        install(open_folder(run), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", SEQ_ORDERS, sample.path.name]
    assert len(install(open_folder(run), tmp_path, "mine").files) == 4


def test_a_models_folder_that_is_mistyped_or_a_file_is_refused(tmp_path: Path, sample, make) -> None:
    run = make.run(tmp_path / "run", sample.reads, make.point(sample.library))
    with pytest.raises(OutputError, match="there is no such folder; give the folder models/"):
        install(open_folder(run), tmp_path / "modles")
    with pytest.raises(OutputError, match="is no folder"):
        install(open_folder(run), sample.path)


def test_the_checkout_in_place_of_its_models_folder_is_refused(tmp_path: Path, sample, make) -> None:
    run = make.run(tmp_path / "run", sample.reads, make.point(sample.library))
    (tmp_path / "tranquillyzer" / "models").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"tranquillyzer/models$"):
        install(open_folder(run), tmp_path / "tranquillyzer")
    assert [path.name for path in (tmp_path / "tranquillyzer").iterdir()] == ["models"]


def test_several_barcodes_and_none_survive_the_row(tmp_path: Path, sample, make) -> None:
    library = make.library_5p.model_copy(update={"barcodes": ("CBC", "SLS"), "umis": ()})
    reads = make.simulate(library, 2)
    run = make.run(tmp_path / "run", reads, make.point(library))
    (tmp_path / "models").mkdir()
    install(open_folder(run), tmp_path / "models")
    fields = tranquillyzer_reads(tmp_path / "models" / SEQ_ORDERS, library.model)
    assert fields[3:] == ["CBC,SLS", "", "fwd"]
    with (tmp_path / "models" / SEQ_ORDERS).open(newline="") as handle:
        assert next(csv.reader(handle, delimiter="\t")) == fields


def test_what_tranquillyzer_cannot_load_is_refused_with_the_reason(tmp_path: Path, sample, make) -> None:
    note = "boundary potentials are on; tranquillyzer's files hold none."
    run = make.run(tmp_path / "run", sample.reads, make.point(sample.library), tranquillyzer_loads=False, notes=(note,))
    with pytest.raises(InputError, match=r"tranquillyzer cannot load this model.*boundary potentials"):
        install(open_folder(run), tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_failed_run_has_nothing_to_install(tmp_path: Path, sample, make) -> None:
    run = make.failed_run(tmp_path / "run", make.point(sample.library))
    with pytest.raises(InputError, match="FAILED: NUMERICS: the loss is NaN"):
        install(open_folder(run), tmp_path / "models")


def test_a_name_that_names_no_file_is_refused(tmp_path: Path, sample, make) -> None:
    run = make.run(tmp_path / "run", sample.reads, make.point(sample.library))
    with pytest.raises(InputError, match="letters, digits"):
        install(open_folder(run), tmp_path / "models", "a/b")


@pytest.mark.parametrize(
    ("artifact", "content", "message"),
    [
        (LABEL_BINARIZER, pickle.dumps(Hostile()), "_lbl_bin.pkl: refused"),
        (LABEL_BINARIZER, pickle.dumps(LabelBinarizer().fit(["a", "b", "c"])), "is of other labels (a, b, c)"),
        (WEIGHTS, b"junk", "is no HDF5 file"),
    ],
)
def test_what_tranquillyzer_would_load_unseen_is_looked_at_first(
    tmp_path: Path, sample, make, artifact: str, content: bytes, message: str
) -> None:
    run = make.run(tmp_path / "run", sample.reads, make.point(sample.library))
    variant = open_folder(export(open_folder(run), "10x3p_sc_ont_0", tmp_path / "out", sample.path, 1))
    variant.file(artifact).write_bytes(content)
    with pytest.raises(InputError) as refused:
        install(variant, tmp_path / "models")
    assert message in str(refused.value)
    assert not (tmp_path / "models").exists()


def test_a_table_never_names_a_model_that_could_not_be_written(tmp_path: Path, sample, make) -> None:
    run = make.run(tmp_path / "run", sample.reads, make.point(sample.library))
    models = tmp_path / "models"
    (models / "10x3p_sc_ont_w_CRF_params.json").mkdir(parents=True)
    with pytest.raises(OutputError, match="no plain file"):
        install(open_folder(run), models)
    assert [path.name for path in models.iterdir()] == ["10x3p_sc_ont_w_CRF_params.json"]
