"""Real reads labelled by exported files: `readlabel label` and what it is made of."""

from __future__ import annotations

import csv
import gzip
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pypdf import PdfReader

from readlabel.artifacts import names
from readlabel.evaluation.architecture import judge
from readlabel.messages import InputError, Library, RunRecord, Segment, TrainOrder
from readlabel.model.network import Network
from readlabel.model.predict import predict
from readlabel.reads.labelled import STRANDS, LabelledReads, runs
from readlabel.report.drawing import pages_of
from readlabel.report.labelled import drawn_labelled
from readlabel.tables import format_row
from readlabel.trainer.budget import Budget
from readlabel.trainer.labelling import LabelledBatch, label_reads, library_for
from readlabel.trainer.variant import find_variant

MODEL = ("model.h5", "params.json", "label_binarizer.pkl")


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "readlabel.cli", "label", *map(str, arguments)]


def fastq(reads: LabelledReads) -> bytes:
    records = (
        f"@{reads.read_ids[i]} x\n{reads.sequence_of(i)}\n+\n{'I' * reads.lengths[i]}\n" for i in range(len(reads))
    )
    return "".join(records).encode()


@pytest.fixture
def installed(exported: Path, library: Library, tmp_path: Path) -> Path:
    """The prefix of a model in a folder of models, with the table of their libraries beside it."""
    for name, suffix in zip(MODEL, (".h5", "_params.json", "_lbl_bin.pkl"), strict=True):
        (exported / name).rename(exported / f"mini_w_CRF{suffix}")
    (exported / "seq_orders.tsv").write_text(f"other\t??\n{format_row(library)}\n")
    return exported / "mini"


def test_the_table_has_the_segments_that_the_network_predicts(
    installed: Path, network: Network, library: Library, reads: LabelledReads, tmp_path: Path
) -> None:
    given = tmp_path / "reads.fastq.gz"
    given.write_bytes(gzip.compress(fastq(reads) + b"@empty\n\n+\n\n"))
    out, pdf = tmp_path / "out" / "segments.parquet", tmp_path / "out" / "reads.pdf"
    done = subprocess.run(
        command(installed, given, "--out", out, "--pdf", pdf, "--num-plot-reads", 3, "--target-tokens", 200),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    predicted = runs(reads.offsets, predict(network, reads))
    assert len(predicted.label) > 2 * len(reads)
    wanted = [
        (reads.read_ids[read], library.labels[label], start, end, reads.sequence_of(read)[start:end])
        for read in range(len(reads))
        for label, start, end in predicted.of(read)
    ]
    table = pq.read_table(out).to_pylist()
    found = [tuple(row[name] for name in ("read_id", "label", "start", "end", "sequence")) for row in table]
    assert found == wanted
    assert {path.name for path in out.parent.iterdir()} == {out.name, pdf.name}
    assert [item.title.split()[0] for item in PdfReader(pdf).outline] == ["0", "1", "2"]
    assert f"{len(reads)} reads: " in done.stdout
    assert "1 more without a base" in done.stdout
    summary, *written = done.stdout.splitlines()
    assert re.search(r"; [\d,]+ reads/s, [\d,]+ bases/s$", summary)
    assert written == [str(out), str(pdf)]
    assert done.stderr == "", "nothing of TensorFlow's own"


def test_reads_are_piped_through(exported: Path, library: Library, reads: LabelledReads, tmp_path: Path) -> None:
    (tmp_path / "library.json").write_text(library.model_dump_json())
    done = subprocess.run(
        command(exported, "-", "--out", "-", "--library", tmp_path / "library.json"),
        input=fastq(reads),
        capture_output=True,
        check=True,
        timeout=300,
    )
    rows = list(csv.DictReader(done.stdout.decode().splitlines(), delimiter="\t"))
    assert {row["read_id"] for row in rows} == set(reads.read_ids)
    assert f"{len(reads)} reads: " in done.stderr.decode()


def test_an_interrupt_leaves_nothing(installed: Path, reads: LabelledReads, tmp_path: Path) -> None:
    """The reads come through a pipe, which opens when everything before the labelling is done."""
    pipe, out = tmp_path / "pipe", tmp_path / "out"
    os.mkfifo(pipe)
    process = subprocess.Popen(
        command(installed, pipe, "--out", out / "segments.tsv", "--pdf", out / "reads.pdf"), stderr=subprocess.PIPE
    )
    with pipe.open("wb") as writer, process:
        writer.write(fastq(reads))
        writer.flush()
        assert len(list(out.iterdir())) == 2
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.decode().splitlines()[-1] == "error: interrupted"
    assert list(out.iterdir()) == []


def test_a_table_stays_when_its_drawings_cannot_be_made(installed: Path, reads: LabelledReads, tmp_path: Path) -> None:
    """A limit on the size of files, which fonts alone exceed, stands for a full disk."""
    given, out = tmp_path / "reads.fastq", tmp_path / "out"
    given.write_bytes(fastq(reads.slice(0, 3)))
    done = subprocess.run(
        command(installed, given, "--out", out / "segments.tsv.gz", "--pdf", out / "reads.pdf"),
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)),
    )
    assert done.returncode == 73
    assert done.stdout.startswith("3 reads: ")
    assert done.stderr.splitlines()[-1] == f"error: {out / 'reads.pdf'}: cannot be written: File too large"
    assert [path.name for path in out.iterdir()] == ["segments.tsv.gz"]
    assert len(gzip.decompress((out / "segments.tsv.gz").read_bytes()).splitlines()) > 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "s.tsv", "--pdf", "s.tsv"], "--pdf s.tsv: is the same file as --out s.tsv"),
        (["--out", "s.tsv", "--pdf", "linked"], "--pdf linked: is the same file as the reads reads.fastq"),
        (["--out", "s.tsv", "--pdf", "model.pdf"], "is the same file as the model's"),
        (["--out", "FOLDER/seq_orders.tsv"], "is the same file as the model's"),
    ],
)
def test_results_never_take_the_place_of_what_they_are_made_from(
    installed: Path, reads: LabelledReads, tmp_path: Path, arguments: list[str], message: str
) -> None:
    given = tmp_path / "reads.fastq"
    given.write_bytes(fastq(reads))
    (tmp_path / "linked").symlink_to("reads.fastq")
    (tmp_path / "model.pdf").symlink_to(f"{installed}_w_CRF.h5")
    places = {"FOLDER/seq_orders.tsv": str(installed.parent / "seq_orders.tsv")}
    words = [places.get(word, word) for word in arguments]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    done = subprocess.run(
        command(installed, given.name, *words), cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_of_a_very_long_read_the_beginning_is_drawn(reads: LabelledReads, library: Library) -> None:
    """A page takes a second to draw, and a read may have a million bases."""
    labels = np.resize(reads.labels, 1_000_000)
    offsets = np.array([0, len(labels)])
    long = replace(
        reads.take([0]), offsets=offsets, tokens=np.ones(len(labels), np.uint8), labels=labels,
        segments=runs(offsets, labels),
    )  # fmt: skip
    (drawn,) = drawn_labelled(long, [judge(library, ["cDNA"])], 0, 20)
    assert len(drawn.sequence) == len(drawn.predicted) == 13_500
    assert pages_of(drawn) == 3
    assert "1,000,000 bases  ·  the first 13,500 are drawn" in drawn.note


def test_reads_are_labelled_as_they_come(network: Network, library: Library, reads: LabelledReads) -> None:
    """However many batches follow, one is in memory: the next is asked for when the one before is done with."""
    asked: list[int] = []

    def batches() -> Iterator[LabelledReads]:
        for number in range(3):
            asked.append(number)
            yield reads.slice(10 * number, 10 * number + 10)

    for number, batch in enumerate(label_reads(network, library, batches(), Budget())):
        assert asked == list(range(number + 1))
        assert batch.reads.read_ids.tolist() == reads.read_ids[10 * number : 10 * number + 10].tolist()


def test_a_model_that_does_not_know_its_segments_says_how_to_tell_them(
    exported: Path, reads: LabelledReads, tmp_path: Path
) -> None:
    given = tmp_path / "reads.fastq"
    given.write_bytes(fastq(reads))
    done = subprocess.run(
        command(exported, given, "--out", tmp_path / "s.tsv"), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 2
    assert "nothing here tells the order of the model's segments" in done.stderr
    assert "give --training-seq-orders FILE with --model-name NAME" in done.stderr
    assert not (tmp_path / "s.tsv").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reads.fastq", "--out", "s.csv"], "s.csv: the name of a table of segments ends in"),
        (["missing.fastq", "--out", "s.tsv"], "missing.fastq: cannot be read: No such file"),
        (["bad.fastq", "--out", "s.tsv"], "bad.fastq, line 4: 2 qualities for 4 bases"),
        (["reads.fastq", "--out", "s.tsv", "--model-name", "x"], "which library?"),
    ],
)
def test_a_faulty_call_is_one_clear_error(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "reads.fastq").write_bytes(b"@r\nACGT\n+\nIIII\n")
    (tmp_path / "bad.fastq").write_bytes(b"@r\nACGT\n+\nII\n")
    done = subprocess.run(command("model", *arguments), cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert not list(tmp_path.glob("*s.tsv*"))


def test_the_record_of_a_run_tells_its_library(
    exported: Path, network: Network, library: Library, make_order: Callable[..., TrainOrder], tmp_path: Path
) -> None:
    spec = make_order(tmp_path).spec
    record = RunRecord(run_id=spec.run_id, spec=spec, state="SUCCEEDED")
    (exported / names.RUN).write_text(record.model_dump_json())
    for path in (exported, exported / "model.h5"):
        assert library_for(find_variant(path), network, None) == library
    other = library.model_copy(update={"segments": (*library.segments, Segment(name="UMI", pattern="N8"))})
    with pytest.raises(InputError, match=r"has the labels 3p, 5p, CBC, UMI, cDNA, the model in .* 3p, 5p, CBC, cDNA"):
        library_for(find_variant(exported), network, other)


def test_a_path_without_a_model_is_refused(installed: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: there is no such folder, and no nowhere\.h5"):
        find_variant(installed.parent / "nowhere")
    (installed.parent / "mini_w_CRF_lbl_bin.pkl").unlink()
    with pytest.raises(InputError, match=r"mini_w_CRF_lbl_bin\.pkl: is missing; mini_w_CRF\.h5, "):
        find_variant(installed).load()


def test_each_molecule_of_a_read_has_a_number_and_a_strand(reads: LabelledReads, library: Library) -> None:
    """Three reads: one molecule, two of them head to head with a transcript base between, and one that is cut."""
    one, two = reads.labels_of(0), reads.labels_of(1)
    between = np.array([library.labels.index("cDNA")], np.uint8)
    rows = [one, np.concatenate([one, between, two[::-1]]), two[:10]]
    offsets, labels = np.cumsum([0, *map(len, rows)]), np.concatenate(rows)
    segments = runs(offsets, labels)
    tokens = np.ones(len(labels), np.uint8)
    labelled = replace(reads.take([0, 1, 2]), offsets=offsets, tokens=tokens, labels=labels, segments=segments)
    orders = [[library.labels[label] for label, _, _ in segments.of(read)] for read in range(3)]
    verdicts = LabelledBatch(labelled, tuple(judge(library, order) for order in orders)).verdicts()
    assert verdicts.valid.tolist() == [True, False, False]
    assert verdicts.reason == ("valid", "concatenated reads x2 (+:1, -:1)", "unexpected pattern")
    assert verdicts.molecule.tolist() == [*[1] * 4, *[1] * 4, 0, *[2] * 4, *[0] * 2]
    assert "".join(STRANDS[strand] for strand in verdicts.strand) == "++++" + "++++.----" + ".."
