"""`readlabel simulate` and `readlabel import-reads` as a user types them."""

from __future__ import annotations

import inspect
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from readlabel.cli import main, simulate
from readlabel.messages import Library
from readlabel.reads.parquet import read_library, read_reads
from readlabel.tables import format_row

Run = Callable[..., "Done"]
DATA = Path(__file__).parent.parent / "data"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def readlabel(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs the command line in this process: `readlabel("simulate", "--out", path)`."""

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["readlabel", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Done(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def library_json(tmp_path: Path, library_3p: Library) -> Path:
    path = tmp_path / "library.json"
    path.write_text(library_3p.model_dump_json())
    return path


@pytest.fixture
def seq_orders(tmp_path: Path, library_3p: Library) -> Path:
    path = tmp_path / "seq_orders.tsv"
    path.write_text(format_row(library_3p) + "\n")
    return path


def test_a_library_from_json_and_from_a_table_row_give_the_same_file(
    tmp_path: Path, readlabel: Run, library_json: Path, seq_orders: Path, library_3p: Library
) -> None:
    for name, source in (
        ("a", ["--library", library_json]),
        ("b", ["--training-seq-orders", seq_orders, "--model-name", "10x3p_sc_ont"]),
    ):
        done = readlabel("simulate", *source, "--num-reads", 50, "--seed", 3, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert "100 reads of 10x3p_sc_ont" in done.stdout
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert read_library(tmp_path / "a") == library_3p


def test_a_tail_that_the_strand_does_not_lead_to_expect_is_noted(
    tmp_path: Path, readlabel: Run, seq_orders: Path
) -> None:
    seq_orders.write_text(seq_orders.read_text().replace("rev", "fwd"))
    row = ["--training-seq-orders", seq_orders, "--model-name", "10x3p_sc_ont"]
    done = readlabel("simulate", *row, "--num-reads", 2, "--out", tmp_path / "a")
    assert done.returncode == 0
    assert done.stderr.startswith("note: 10x3p_sc_ont: strand fwd says that reads show the transcript")
    assert done.stderr.endswith("whose tail has the pattern A, and polyT has T; is the strand rev?\n")


def test_simulated_pickles_are_imported_again(tmp_path: Path, readlabel: Run, library_json: Path) -> None:
    out = tmp_path / "reads.parquet"
    done = readlabel("simulate", "--library", library_json, "--num-reads", 20, "--pkl", tmp_path / "pair", "--out", out)
    assert done.returncode == 0, done.stderr
    imported = tmp_path / "imported.parquet"
    done = readlabel("import-reads", "--reads", tmp_path / "pair", "--library", library_json, "--out", imported)
    assert done.returncode == 0, done.stderr
    assert read_reads(imported).tokens.tolist() == read_reads(out).tokens.tolist()


def test_every_error_option_reaches_the_reads(tmp_path: Path, readlabel: Run, library_json: Path) -> None:
    out = tmp_path / "reads.parquet"
    options = "--mismatch-rate 0 --insertion-rate 0 --deletion-rate 0 --polyt-error-rate 0 --invalid-fraction 0 --no-rc"
    lengths = "--min-cdna 120 --max-cdna 120 --segment-error UMI=0,1,0 --max-insertions 2"
    given = ["--library", library_json, "--num-reads", 30, *options.split(), *lengths.split()]
    done = readlabel("simulate", *given, "--out", out)
    assert done.returncode == 0, done.stderr
    reads = read_reads(out)
    assert len(reads) == 30
    for read in range(30):
        length = {}
        for label, start, end in reads.segments.of(read):
            length.setdefault(reads.label_names[label], []).append(end - start)
        assert length["UMI"] == [12 + 2 * 12]
        assert length["CBC"] == [16]
        assert 120 in length["cDNA"]


def test_options_have_tranquillyzer_s_names_and_defaults(tmp_path: Path, readlabel: Run, library_json: Path) -> None:
    theirs = {
        "--num-reads": 50_000, "--mismatch-rate": 0.05, "--insertion-rate": 0.05, "--deletion-rate": 0.06,
        "--min-cdna": 100, "--max-cdna": 500, "--polyt-error-rate": 0.02, "--max-insertions": 1,
        "--invalid-fraction": 0.3, "--threads": 2,
    }  # fmt: skip
    defaults = {name: parameter.default for name, parameter in inspect.signature(simulate.main).parameters.items()}
    assert {option: defaults[option[2:].replace("-", "_")] for option in theirs} == theirs
    assert (defaults["rc"], defaults["cdna_error"], defaults["transcriptome"]) == (True, False, None)
    given = [word for option, value in theirs.items() if option != "--num-reads" for word in (option, value)]
    for name, words in (("plain", []), ("given", [*given, "--rc", "--no-cdna-error"]), ("errors", ["--cdna_error"])):
        done = readlabel("simulate", "--library", library_json, "--num-reads", 9, *words, "--out", tmp_path / name)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "given").read_bytes() != (tmp_path / "errors").read_bytes()


def test_all_faulty_values_are_named_by_their_options(tmp_path: Path, readlabel: Run, library_json: Path) -> None:
    options = ["--mismatch-rate", 2, "--min-cdna", 0]
    done = readlabel("simulate", "--library", library_json, *options, "--out", tmp_path / "reads.parquet")
    assert done.returncode == 2
    assert "2 problems" in done.stderr
    assert "--mismatch-rate: Input should be less than or equal to 1, not 2.0" in done.stderr
    assert "--min-cdna" in done.stderr
    assert not (tmp_path / "reads.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--min-cdna", 501], "--min-cdna 501 is above --max-cdna 500"),
        (["--num-reads", 0], "'--num-reads': Input should be greater than or equal to 1"),
        (["--segment-error", "UMI=0,0,0", "--segment-error", "CBC=0,2,0"], "--segment-error CBC insertion: Input"),
        (["--segment-error", "UMI=0,0,0", "--segment-error", "UMI=0,0,0"], "--segment-error gives rates of UMI twice"),
    ],
)
def test_a_refused_value_is_named_as_it_was_typed(
    tmp_path: Path, readlabel: Run, library_json: Path, arguments: list[object], message: str
) -> None:
    done = readlabel("simulate", "--library", library_json, *arguments, "--out", tmp_path / "reads.parquet")
    assert done.returncode == 2
    assert message in " ".join(done.stderr.replace("│", " ").split())
    assert not (tmp_path / "reads.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "which library?"),
        (["--library", "LIBRARY", "--model-name", "x"], "not both"),
        (["--library", "missing.json"], "missing.json: cannot be read"),
        (["--training-seq-orders", "ORDERS", "--model-name", "other"], "no row for model 'other'; it has 10x3p_sc_ont"),
        (["--library", "LIBRARY", "--segment-error", "CBC:0.1"], "give NAME=MISMATCH,INSERTION,DELETION"),
        (["--library", "LIBRARY", "--segment-error", "=0,0,0"], "give NAME=MISMATCH,INSERTION,DELETION"),
        (["--library", "LIBRARY", "--transcriptome", "ORDERS"], "line 1: FASTA begins with"),
    ],
)
def test_a_faulty_call_is_one_clear_error(
    tmp_path: Path, readlabel: Run, library_json: Path, seq_orders: Path, arguments: list[str], message: str
) -> None:
    places = {"LIBRARY": str(library_json), "ORDERS": str(seq_orders)}
    given = [places.get(argument, argument) for argument in arguments]
    done = readlabel("simulate", *given, "--out", tmp_path / "reads.parquet")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "reads.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--out tx.fa", "--out tx.fa: is the same file as --transcriptome tx.fa"),
        ("--out symlink", "--out symlink: is the same file as --transcriptome tx.fa"),
        ("--out hardlink", "--out hardlink: is the same file as --transcriptome tx.fa"),
        ("--out ../FOLDER/library.json", "library.json: is the same file as --library library.json"),
        ("--out reads.pkl --pkl .", "--pkl reads.pkl: is the same file as --out reads.pkl"),
        ("--out new/../labels.pkl --pkl .", "--pkl labels.pkl: is the same file as --out new/../labels.pkl"),
    ],
)
def test_a_result_never_takes_the_place_of_an_input_or_of_another(
    tmp_path: Path, readlabel: Run, library_json: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    fasta = tmp_path / "tx.fa"
    fasta.write_text(">tx\nACGT\n")
    (tmp_path / "symlink").symlink_to("tx.fa")
    (tmp_path / "hardlink").hardlink_to("tx.fa")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    given = arguments.replace("FOLDER", tmp_path.name).split()
    done = readlabel("simulate", "--library", library_json.name, "--transcriptome", "tx.fa", *given)
    assert done.returncode == 2
    assert message in done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_imported_reads_never_take_the_place_of_the_pair(tmp_path: Path, readlabel: Run, library_json: Path) -> None:
    for name in ("reads.pkl", "labels.pkl"):
        (tmp_path / name).write_bytes((DATA / name).read_bytes())
    out = tmp_path / "labels.pkl"
    done = readlabel("import-reads", "--reads", tmp_path, "--library", library_json, "--out", out)
    assert done.returncode == 2
    assert f"--out {out}: is the same file as --labels {out}" in done.stderr
    assert out.read_bytes() == (DATA / "labels.pkl").read_bytes()


@pytest.mark.parametrize("out", ["/sys/readlabel", "FOLDER", "FOLDER/thesis.txt/reads.parquet"])
def test_reads_that_cannot_be_written_are_one_clear_error(
    tmp_path: Path, readlabel: Run, library_json: Path, out: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("mine")
    given = out.replace("FOLDER", str(tmp_path / "folder"))
    done = readlabel("simulate", "--library", library_json, "--num-reads", 2, "--out", given)
    assert (done.returncode, done.stdout) == (73, "")
    assert done.stderr.startswith(f"error: {given}: ")
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["thesis.txt"]


def test_a_disk_without_room_for_the_transcriptome_is_one_clear_error(tmp_path: Path, library_json: Path) -> None:
    """A limit on the size of files stands for a full disk."""
    (tmp_path / "tx.fa").write_text(">tx\n" + "ACGTACGT\n" * 200_000)
    command = [sys.executable, "-m", "readlabel.cli", "simulate", "--library", library_json, "--transcriptome", "tx.fa"]
    done = subprocess.run(
        [*command, "--out", tmp_path / "out" / "reads.parquet"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert (done.returncode, done.stdout) == (73, "")
    assert done.stderr == f"error: {tmp_path}: cannot be written: File too large\n"
    assert {path.name for path in tmp_path.iterdir()} == {"tx.fa", library_json.name}


def test_a_pair_is_imported_by_its_two_files(tmp_path: Path, readlabel: Run, library_json: Path) -> None:
    out = tmp_path / "reads.parquet"
    pair = ["--reads", DATA / "reads.pkl", "--labels", DATA / "labels.pkl"]
    done = readlabel("import-reads", *pair, "--library", library_json, "--out", out)
    assert done.returncode == 0, done.stderr
    assert len(read_reads(out)) == 40


def test_reads_without_labels_are_asked_for(tmp_path: Path, readlabel: Run, library_json: Path) -> None:
    alone = tmp_path / "reads.pkl"
    alone.write_bytes((DATA / "reads.pkl").read_bytes())
    done = readlabel("import-reads", "--reads", alone, "--library", library_json, "--out", tmp_path / "x")
    assert done.returncode == 2
    assert "there is no labels.pkl beside it; give --labels" in done.stderr


def test_labels_beside_the_reads_are_found(tmp_path: Path, readlabel: Run, library_json: Path) -> None:
    done = readlabel("import-reads", "--reads", DATA / "reads.pkl", "--library", library_json, "--out", tmp_path / "x")
    assert done.returncode == 0, done.stderr


def test_a_label_of_another_library_is_said_once_with_its_count(
    tmp_path: Path, readlabel: Run, library_3p: Library
) -> None:
    other = library_3p.model_copy(update={"segments": tuple(s for s in library_3p.segments if s.name != "polyT")})
    (tmp_path / "other.json").write_text(other.model_dump_json())
    done = readlabel("import-reads", "--reads", DATA, "--library", tmp_path / "other.json", "--out", tmp_path / "x")
    assert done.returncode == 2
    assert done.stderr.count("label 'polyT' is none of the library's: 5p, CBC, UMI, cDNA, 3p") == 1
    assert not (tmp_path / "x").exists()
