"""EXPORT lays a run out as tranquillyzer does, and draws its first validation reads."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pypdf import PdfReader

from readlabel.artifacts import names
from readlabel.messages import InputError, OutputError
from readlabel.report.export import export
from readlabel.report.folders import open_folder


def test_a_run_is_laid_out_under_its_variants_name(tmp_path: Path, sample, make) -> None:
    run = make.run(tmp_path / "run", sample.reads, make.point(sample.library))
    folder = export(open_folder(run), "mylib_3", tmp_path / "out", sample.path, 2)
    assert folder == tmp_path / "out" / "mylib_3"
    suffixes = [".h5", "_params.json", "_lbl_bin.pkl", "_history.tsv", "_val_viz.pdf", "_metrics.json", "_run.json"]
    suffixes += ["_predictions.parquet", "_train.log"]
    expected = {f"mylib_3{suffix}" for suffix in suffixes} | {names.TENSORBOARD}
    assert {path.name for path in folder.iterdir()} == expected
    assert (folder / "mylib_3.h5").read_bytes() == (run / names.WEIGHTS).read_bytes()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mylib_3"]


def test_a_failed_run_is_laid_out_with_what_it_has(tmp_path: Path, sample, make) -> None:
    run = make.failed_run(tmp_path / "run", make.point(sample.library))
    folder = export(open_folder(run), "mylib_0", tmp_path / "out", sample.path)
    assert {path.name for path in folder.iterdir()} == {"mylib_0_run.json", "mylib_0_train.log"}


def test_an_exported_variant_can_be_exported_again(tmp_path: Path, sample, make) -> None:
    run = make.run(tmp_path / "run", sample.reads, make.point(sample.library))
    first = export(open_folder(run), "a_0", tmp_path / "out", sample.path, 2)
    second = export(open_folder(first), "b_1", tmp_path / "out", sample.path, 2)
    assert (second / "b_1.h5").read_bytes() == (first / "a_0.h5").read_bytes()
    assert (second / "b_1_metrics.json").read_bytes() == (first / "a_0_metrics.json").read_bytes()


def test_equal_runs_give_equal_bytes(tmp_path: Path, sample, make) -> None:
    run = make.run(tmp_path / "run", sample.reads, make.point(sample.library))

    def digests(out: Path) -> dict[str, str]:
        folder = export(open_folder(run), "a_0", out, sample.path, 3)
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}

    assert digests(tmp_path / "first") == digests(tmp_path / "second")


def test_a_success_with_a_file_missing_is_named_and_leaves_nothing(tmp_path: Path, sample, make) -> None:
    run = make.run(tmp_path / "run", sample.reads, make.point(sample.library))
    (run / names.WEIGHTS).unlink()
    with pytest.raises(InputError, match=r"lacks model\.h5"):
        export(open_folder(run), "a_0", tmp_path / "out", sample.path)
    assert not (tmp_path / "out").exists()


def test_predictions_of_other_reads_are_refused_and_leave_nothing(tmp_path: Path, sample, make) -> None:
    others = make.simulate(sample.library, seed=9)
    run = make.run(tmp_path / "run", others, make.point(sample.library))
    with pytest.raises(InputError, match="is not of the reads of"):
        export(open_folder(run), "a_0", tmp_path / "out", sample.path)
    assert not list((tmp_path / "out").iterdir())


def test_only_an_earlier_export_is_replaced(tmp_path: Path, sample, make) -> None:
    run = make.failed_run(tmp_path / "run", make.point(sample.library))
    own = tmp_path / "out" / "src"
    own.mkdir(parents=True)
    (own / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="move it away"):
        export(open_folder(run), "src", tmp_path / "out", sample.path)
    assert (own / "thesis.txt").read_text() == "mine"
    export(open_folder(run), "a_0", tmp_path / "out", sample.path)
    (tmp_path / "out" / "a_0" / "a_0_val_viz.pdf").write_text("of an earlier success")
    export(open_folder(run), "a_0", tmp_path / "out", sample.path)
    assert not (tmp_path / "out" / "a_0" / "a_0_val_viz.pdf").exists()


def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, sample, make) -> None:
    run = make.failed_run(tmp_path / "run", make.point(sample.library))
    with pytest.raises(InputError, match="variant name"):
        export(open_folder(run), "../a_0", tmp_path / "out", sample.path)


@pytest.mark.parametrize("content", [[], ["a_0_run.json", "b_0_run.json"]])
def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, content: list[str]) -> None:
    for name in content:
        (tmp_path / name).write_text("{}")
    with pytest.raises(InputError, match=r"run\.json"):
        open_folder(tmp_path)


def test_the_drawing_says_what_tranquillyzers_says_and_marks_what_is_wrong(tmp_path: Path, sample, make) -> None:
    run = make.run(tmp_path / "run", sample.reads, make.point(sample.library), error=0.0)
    folder = export(open_folder(run), "a_0", tmp_path / "out", sample.path, 5)
    pages = [page.extract_text() for page in PdfReader(folder / "a_0_val_viz.pdf").pages]
    assert len(pages) == 5
    assert "0 (Architecture: valid, Reason: valid)" in pages[0]
    assert "3 (Architecture: invalid, Reason: concatenated reads x2 (-:2))" in pages[3]
    assert "4 (Architecture: invalid, Reason: Unexpected pattern: [" in pages[4]
    assert sample.reads.sequence_of(0)[:150] in pages[0]
    assert all(page.count("×") == 1 for page in pages)  # in the key only: no base is wrong

    run = make.run(tmp_path / "wrong", sample.reads, make.point(sample.library), error=0.05)
    folder = export(open_folder(run), "a_1", tmp_path / "out", sample.path, 1)
    assert PdfReader(folder / "a_1_val_viz.pdf").pages[0].extract_text().count("×") > 1


def test_every_page_of_the_drawings_names_the_variant_its_hyperparameters_and_its_place(
    tmp_path: Path, sample, make
) -> None:
    run = make.run(tmp_path / "run", sample.reads, make.point(sample.library, conv_filters=48, crf_layer=False))
    folder = export(open_folder(run), "mylib_3", tmp_path / "out", sample.path, 4)
    drawings = PdfReader(folder / "mylib_3_val_viz.pdf")
    for number, page in enumerate(drawings.pages, start=1):
        text = page.extract_text()
        assert "mylib_3" in text
        assert f"page {number} of {len(drawings.pages)}" in text
        assert "conv_filters 48" in text
        assert "crf_layer FALSE" in text
    assert drawings.metadata is not None
    assert "mylib_3" in (drawings.metadata.title or "")
    assert "conv_filters 48" in (drawings.metadata.subject or "")
    assert (drawings.metadata.author or "").startswith("readlabel")
