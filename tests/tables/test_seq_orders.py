from __future__ import annotations

from pathlib import Path

import pytest

from readlabel.messages import InputError, Library
from readlabel.tables import format_row, read_library_row, read_seq_orders

ROW_3P = (
    '10x3p_sc_ont\t"5p,CBC,UMI,polyT,cDNA,3p"\t'
    '"TCTACACGACGCTCTTCCGATCT,N16,N12,T,NN,CCCATGTACTCTGCGTTGATACCACTGCTT"\tCBC\tUMI\trev'
)


def problems_of(path: Path, content: str) -> str:
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        read_seq_orders(path)
    return str(caught.value)


def test_tranquillyzers_row_is_read(tmp_path: Path, library_3p: Library) -> None:
    path = tmp_path / "s.tsv"
    path.write_text(ROW_3P + "\n")
    assert read_seq_orders(path) == {"10x3p_sc_ont": library_3p}
    assert library_3p.labels == ("3p", "5p", "CBC", "UMI", "cDNA", "polyT")


def test_a_row_is_written_as_it_was_read(library_3p: Library) -> None:
    assert format_row(library_3p) == ROW_3P


def test_unquoted_cells_windows_ends_and_lower_case_motifs_are_read(tmp_path: Path) -> None:
    path = tmp_path / "s.tsv"
    path.write_bytes(b"\xef\xbb\xbfmine\t a, cDNA \tacgt,NN\t\t\tfwd\r\n")
    library = read_library_row(path, "mine")
    assert [(s.name, s.pattern, s.kind) for s in library.segments] == [("a", "ACGT", "fixed"), ("cDNA", "NN", "cdna")]
    assert library.barcodes == ()


def test_a_repeated_segment_name_is_one_label_and_two_outputs(tmp_path: Path) -> None:
    path = tmp_path / "s.tsv"
    path.write_text("twice\tad,BC,BC,cDNA\tACGT,N8,N8,NN\tBC\t\tfwd\n")
    library = read_library_row(path, "twice")
    assert library.labels == ("BC", "ad", "cDNA")
    assert library.num_outputs == 4


def test_all_problems_of_a_table_come_at_once(tmp_path: Path) -> None:
    text = problems_of(
        tmp_path / "s.tsv",
        "a\tx,y\tACGT\t\t\tfwd\n"  # one pattern too few
        "b\tx,y\tACGU,N0\tz\t\tfwd\n"  # malformed patterns
        "c\tx\tACGT\tz\t\tsideways\n"
        "d\tx\tACGT\tz\t\tfwd\n"  # barcode that is no segment
        "e\tx\n"
        "a\tx\tACGT\t\t\tfwd\n"
        "../f\tx\tACGT\t\t\tfwd\n",
    )
    for expected in (
        "line 1: 2 segments (x,y) but 1 patterns (ACGT)",
        "line 2: column patterns, segment 1: pattern 'ACGU' is not understood: give a DNA motif",
        "line 2: column patterns, segment 2: pattern 'N0' is not understood",
        "line 3: column strand: 'sideways' is not allowed; write fwd or rev",
        "line 4: column barcodes: 'z' is not a segment of d: x",
        "line 5: has 2 tab-separated columns; 6 are needed",
        "line 6: model 'a' has a row already, on line 1",
        "line 7: model name '../f' may hold letters",
    ):
        assert expected in text


def test_an_unknown_model_lists_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "s.tsv"
    path.write_text(ROW_3P)
    with pytest.raises(InputError, match="has no row for model 'mylib'; it has 10x3p_sc_ont"):
        read_library_row(path, "mylib")


def test_rows_of_other_models_may_be_anything(tmp_path: Path) -> None:
    path = tmp_path / "s.tsv"
    path.write_text(f"odd\tRN\t?\t\t\tboth\n{ROW_3P}\n")
    assert read_library_row(path, "10x3p_sc_ont").strand == "rev"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("a\tx,y\tACGT,\t\t\tfwd", "line 1: column patterns, segment 2: is empty"),
        ("a\t\tACGT,N8\ty\t\tfwd", "line 1: column segment order: is empty"),
        ("a\tx,y\tACGT,NN\tNA\t\tfwd", "line 1: column barcodes: 'NA' is not a segment of a; leave the cell empty if"),
        ("a\tx\tACGTNNNNAC\t\t\tfwd", "for a tail; split it into segments of their own: ACGT, N4, AC"),
        ("a\tx\tNNNNNNNNNN\t\t\tfwd", "for a tail; write N10"),
        ("a\tx\tpolyA\t\t\tfwd", "pattern 'polyA' is not understood"),
        ("a\tx\tACGQ\t\t\tfwd", "NN for cDNA, or A or T for a tail"),
        ("a\tx\tNN\t\t\t", "line 1: column strand: is empty"),
    ],
)
def test_one_fault_is_one_problem_that_says_how_to_mend_it(tmp_path: Path, row: str, expected: str) -> None:
    path = tmp_path / "s.tsv"
    path.write_text(row + "\n")
    with pytest.raises(InputError) as caught:
        read_seq_orders(path)
    (problem,) = caught.value.problems
    assert expected in str(problem)


def test_an_empty_last_column_is_nothing(tmp_path: Path, library_3p: Library) -> None:
    path = tmp_path / "s.tsv"
    path.write_text(ROW_3P + "\t\n")
    assert read_library_row(path, "10x3p_sc_ont") == library_3p


def test_a_tail_that_the_strand_does_not_lead_to_expect_is_doubted(library_3p: Library) -> None:
    assert library_3p.doubts == ()
    (doubt,) = library_3p.model_copy(update={"strand": "fwd"}).doubts
    assert "whose tail has the pattern A, and polyT has T; is the strand rev?" in doubt


@pytest.mark.parametrize(
    ("order", "patterns", "barcodes", "umis", "doubt"),
    [
        ("5p,CBC,3p", "ACGT,N8,GGTT", "CBC", "", "it has no cDNA (pattern NN), so that its reads hold no transcript"),
        ("5p,insert,3p", "ACGT,NN,GGTT", "", "", "insert is cDNA by its pattern, NN, but not by its name"),
        ("5p,polyA,cDNA", "ACGT,A,NN", "", "", "with the tail behind the cDNA, and polyA is not there"),
        ("5p,CBC,cDNA", "ACGT,N8,NN", "5p", "", "barcode 5p has no random bases (N<k>)"),
        ("5p,CBC,cDNA", "ACGT,N8,NN", "CBC", "CBC", "CBC is named 2 times among barcodes and UMIs"),
        ("5p,cDNA,polyA", "ACGT,NN,AAAAAAAAAAAA", "", "", "polyA is a motif of always 12 A; is it a tail"),
        ("cDNA", "NN", "", "", "cDNA is its only label, so there is nothing to tell apart"),
    ],
)
def test_an_unusual_row_is_read_and_doubted(
    tmp_path: Path, order: str, patterns: str, barcodes: str, umis: str, doubt: str
) -> None:
    path = tmp_path / "s.tsv"
    path.write_text(f"m\t{order}\t{patterns}\t{barcodes}\t{umis}\tFwd\n")
    assert any(doubt in found for found in read_library_row(path, "m").doubts)


@pytest.mark.parametrize(
    ("order", "patterns", "barcodes", "expected"),
    [
        (
            "5p,cdna",
            "ACGT,NN",
            "",
            "column segment order, segment 2: segment 'cdna' has the pattern 'NN': cDNA, so spe",
        ),
        ("cDNA,5p", "ACGT,GGTT", "", "segment 'cDNA' has the pattern 'ACGT': cDNA, so spelled, is the name of"),
        ("5'p,cDNA", "ACGT,NN", "", 'column segment order, segment 1: segment name "5\'p" may hold'),
        ("5p,x", "ACGT,N", "", "write NN for cDNA, N1 for one random base"),
        ("5p,polyA", "ACGT,A30", "", "write A: the length of a tail varies"),
        ("BC1,BC2", "N8,N8", "BC1;BC2", "column barcodes: a list is separated by commas, not ';'"),
    ],
)
def test_what_a_row_may_not_hold_is_said_with_what_was_meant(
    tmp_path: Path, order: str, patterns: str, barcodes: str, expected: str
) -> None:
    assert expected in problems_of(tmp_path / "s.tsv", f"m\t{order}\t{patterns}\t{barcodes}\t\tfwd\n")


def test_swapped_tables_and_another_spelling_of_the_model_are_seen(tmp_path: Path) -> None:
    assert "are --training-params and --training-seq-orders swapped?" in problems_of(
        tmp_path / "s.tsv", "parameter\tm\n"
    )
    path = tmp_path / "s.tsv"
    path.write_text(ROW_3P + "\n")
    with pytest.raises(InputError, match="'10X3P_sc_ont'; did you mean 10x3p_sc_ont"):
        read_library_row(path, "10X3P_sc_ont")
