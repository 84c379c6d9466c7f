"""Inputs that a tool refuses: its message alone, with the user's own paths, and nothing trained."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

MODEL = "10x3p_sc_ont"
READS = ["GATTACA", "ACGTACGTAC"]
LABELS = [["cDNA"] * 7, ["cDNA"] * 10]


class Hostile:
    """Calls a function of the operating system when it is unpickled without care."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def message(outcome) -> list[str]:
    """The lines that are no progress: all that stand behind the last task, but what -resume goes on from."""
    lines = outcome.output.rstrip().splitlines()
    tasks = [number for number, line in enumerate(lines) if "process > " in line]
    return [
        line for line in lines[tasks[-1] + 1 :] if not line.startswith(("Combinations", "  10x", "-resume goes on"))
    ]


def nothing_trained(outcome) -> bool:
    return not any(task.process in ("TRAIN", "EXPORT", "REPORT") for task in outcome.tasks)


def test_a_faulty_table_ends_the_run_with_its_faults_and_resume_goes_on_once_it_is_mended(shared_launch):
    faulty = {"conv_filters": "none", "epochs": "0"}
    refused = shared_launch.train(table=faulty, outdir="faulty")
    assert refused.exit_status == 1
    path = shared_launch.folder / "params.tsv"
    assert message(refused) == [
        "2 problems:",
        f"  - {path}, line 7, row conv_filters, column {MODEL}: 'none' is not allowed; "
        "allowed is a whole number from 1 to 4096",
        f"  - {path}, line 17, row epochs, column {MODEL}: '0' is not allowed; "
        "allowed is a whole number from 1 to 10000",
    ]
    assert nothing_trained(refused)

    asked_again = shared_launch.train("-resume", table=faulty, outdir="faulty")
    assert message(asked_again) == message(refused)
    assert asked_again.count("EXPAND_GRID", "CACHED") == 0, "a refusal is no result to keep"

    mended = shared_launch.train("-resume", "-stub-run", outdir="faulty")
    assert mended.exit_status == 0, mended.output
    assert mended.count("TRAIN", "COMPLETED") == 1


def test_tables_that_were_not_given_are_said_to_be_the_defaults(shared_launch, root):
    refused = shared_launch.run("--model_name", "mylib", outdir="defaults")
    assert refused.exit_status == 1
    assert message(refused) == [
        "2 problems:",
        f"  - {root}/assets/training_params.tsv (the default; give --training_params): "
        f"has no column for model 'mylib'; it has 10x5p_sc_ont, {MODEL}",
        f"  - {root}/assets/training_seq_orders.tsv (the default; give --training_seq_orders): "
        f"has no row for model 'mylib'; it has {MODEL}, 10x5p_sc_ont",
    ]


@pytest.fixture
def pair(tmp_path):
    """Where the two pickles lie, and their arguments."""
    paths = [tmp_path / "my reads.pkl", tmp_path / "my labels.pkl"]
    return *paths, ["--reads", str(paths[0]), "--labels", str(paths[1])]


def test_a_pickle_that_holds_code_ends_the_run_and_the_code_does_not_run(shared_launch, pair, tmp_path):
    reads, labels, arguments = pair
    reads.write_bytes(pickle.dumps([Hostile(tmp_path / "trap")]))
    labels.write_bytes(pickle.dumps(LABELS))
    refused = shared_launch.train("-resume", *arguments, outdir="pickles")
    assert refused.exit_status == 1
    assert message(refused) == [f"{reads}: refused, only lists, strings and numpy arrays may be in it: posix.mkdir"]
    assert nothing_trained(refused)
    assert not (tmp_path / "trap").exists()


def test_a_read_without_a_label_and_a_rate_out_of_range_are_said_together_with_the_users_names(shared_launch, pair):
    reads, labels, arguments = pair
    reads.write_bytes(pickle.dumps(READS))
    labels.write_bytes(pickle.dumps([LABELS[0], ["cDNA"] * 9]))
    refused = shared_launch.train("-resume", *arguments, "--segment_error", "CBC=0.1,0.1,2.1", outdir="pickles")
    assert refused.exit_status == 1
    rate, pickles = message(refused)
    assert rate == "--segment_error CBC deletion: Input should be less than or equal to 1, not 2.1"
    assert pickles == f"read 1 of {labels}: it has 10 bases and 9 labels; there is one label a base"
    assert nothing_trained(refused)


def test_every_fault_of_the_reads_is_said_of_two_libraries_of_which_one_fits_and_nothing_is_trained(
    shared_launch, pair
):
    reads, labels, arguments = pair
    reads.write_bytes(pickle.dumps([*READS, "", "ACGX", "ACGT"]))
    labels.write_bytes(pickle.dumps([*LABELS, [], ["cDNA"] * 4, ["polyT"] * 4]))
    models = f"{MODEL},10x5p_sc_ont"
    sizes = ["--num_val_reads", "8"]
    refused = shared_launch.run("-resume", "--model_name", models, *sizes, *arguments, outdir="pickles")
    assert refused.exit_status == 1
    first, *of_both, second, empty, letter, foreign = message(refused)
    assert (first, second) == (f"{MODEL}: 2 problems:", "10x5p_sc_ont: 3 problems:")
    assert of_both == [empty, letter]
    assert empty == f"  - read 2 of {reads}: it is empty; a read has at least one base"
    assert letter.startswith(f"  - read 3 of {reads}: 'X' at position 4 is no nucleotide letter")
    assert foreign == (
        f"  - read 4 of {labels}: label 'polyT' is none of the library's: 5p, CBC, UMI, SLS, cDNA, polyA, 3p"
    )
    assert nothing_trained(refused)
