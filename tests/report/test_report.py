"""REPORT compares a grid's variants: what it writes, and that its figures are the models' own."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pypdf import PdfReader

from readlabel.artifacts.names import VALIDATION_PDF_SUFFIX
from readlabel.messages import Grid, InputError, Metrics, OutputError
from readlabel.report.build import build
from readlabel.report.contents import Entry, contents_pages, draw_contents
from readlabel.report.variants import gather

MODEL = "10x5p_sc_ont"


class Links(HTMLParser):
    """Everything a page points at or loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.targets.append(value)
            if name == "id" and value:
                self.ids.add(value)


def table_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle, delimiter="\t"))


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_every_combination_is_listed_best_first_then_those_without_a_model(results) -> None:
    build(results.grid, results.folders, results.outdir / "report")
    rows = table_of(results.outdir / "report" / "leaderboard.tsv")
    assert len(rows) == len(results.grid.entries)
    good = [row for row in rows if row["state"] == "SUCCEEDED"]
    assert [row["rank"] for row in good] == ["1", "2", "3", "4", "5", "6"]
    accuracies = [float(row["per_base_accuracy"]) for row in good]
    assert accuracies == sorted(accuracies, reverse=True)
    missing, failed = rows[6:]
    assert (missing["variant"], missing["state"]) == (f"{MODEL}_5", "MISSING")
    assert "killed" in missing["reason"]
    assert missing["learning_rate"] == "0.01"
    assert (failed["variant"], failed["state"]) == (f"{MODEL}_6", "FAILED")
    assert failed["reason"].startswith("NUMERICS: the loss is NaN")
    assert failed["per_base_accuracy"] == "NA"
    assert list(rows[0])[5:8] == ["conv_filters", "crf_layer", "learning_rate"]


def test_the_same_input_in_any_order_gives_the_same_bytes(results, tmp_path: Path) -> None:
    build(results.grid, results.folders, tmp_path / "a")
    build(results.grid, results.folders[::-1], tmp_path / "b")
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_the_page_loads_nothing_and_its_links_lead_somewhere(results) -> None:
    report = build(results.grid, results.folders, results.outdir / "report")
    text = report.html.read_text()
    links = Links(text)
    assert links.targets
    for target in links.targets:
        if target.startswith("#"):
            assert target[1:] in links.ids
        elif target != "data:,":
            assert "//" not in target
            assert (report.html.parent / target.split("#")[0]).exists(), target
    for loader in ("http://", "https://", "@import", "url(", "fetch("):
        assert loader not in text


def test_texts_from_runs_are_escaped(results) -> None:
    report = build(results.grid, results.folders, results.outdir / "report")
    text = report.html.read_text()
    assert "lower learning_rate &lt;1&gt;" in text
    assert "lower learning_rate <1>" not in text


def test_the_merged_drawings_have_a_bookmark_a_variant_and_one_a_read(results) -> None:
    build(results.grid, results.folders, results.outdir / "report")
    merged = PdfReader(results.outdir / "report" / "validation.pdf")
    contents, *titles = [item.title for item in merged.outline if not isinstance(item, list)]
    assert contents == "Contents"
    rows = table_of(results.outdir / "report" / "leaderboard.tsv")[:6]
    varying = ("conv_filters", "crf_layer", "learning_rate")
    told = [", ".join(f"{name} {row[name]}" for name in varying) for row in rows]
    assert titles == [f"{row['variant']}  ·  {values}" for row, values in zip(rows, told, strict=True)]
    reads = [item for item in merged.outline if isinstance(item, list)]
    assert len(reads) == 6
    assert all(inner[0].title.startswith("0  ") and "wrong" in inner[0].title for inner in reads)
    pages = [merged.get_destination_page_number(inner[0]) for inner in reads]
    variants = [row["variant"] for row in rows]
    singles = [len(PdfReader(results.outdir / MODEL / v / f"{v}{VALIDATION_PDF_SUFFIX}").pages) for v in variants]
    assert pages == [1 + sum(singles[:place]) for place in range(6)]
    assert f'href="validation.pdf#page={pages[1] + 1}"' in (results.outdir / "report" / "report.html").read_text()
    assert merged.metadata is not None
    assert MODEL in (merged.metadata.title or "")
    for first, variant, values in zip(pages, variants, told, strict=True):
        assert merged.page_labels[first] == f"{variant} – 1"
        text = merged.pages[first].extract_text()
        assert variant in text
        assert values in text


def test_the_merged_drawings_begin_with_their_contents_which_lead_to_each_variant(results) -> None:
    build(results.grid, results.folders, results.outdir / "report")
    merged = PdfReader(results.outdir / "report" / "validation.pdf")
    text = merged.pages[0].extract_text()
    links = [annotation.get_object() for annotation in merged.pages[0]["/Annots"]]
    rows = table_of(results.outdir / "report" / "leaderboard.tsv")[:6]
    assert len(links) == 6
    for link, row in zip(links, rows, strict=True):
        page = link["/Dest"][0]
        number = merged.get_page_number(merged.get_object(page) if hasattr(page, "idnum") else merged.pages[page])
        assert merged.page_labels[number] == f"{row['variant']} – 1"
        for words in (row["variant"], f"{float(row['per_base_accuracy']):.2%} per base", f"page {number + 1}"):
            assert words in text
    assert merged.page_labels[0] == "contents – 1"


def test_the_contents_of_a_large_grid_take_several_pages(tmp_path: Path) -> None:
    entries = [Entry(f"a_{number}", "98.00% per base", "conv_filters 64", number + 1) for number in range(120)]
    pages = list(draw_contents("Validation reads of a", entries))
    assert len(pages) == contents_pages(120) == 3
    assert [entry for page in pages for entry, _ in page.boxes] == entries


def test_one_variant_needs_no_contents(results) -> None:
    build(Grid(entries=results.grid.entries[:1]), results.folders[:1], results.outdir / "report")
    merged = PdfReader(results.outdir / "report" / "validation.pdf")
    assert merged.page_labels[0].endswith(" – 1")
    assert "contents" not in merged.page_labels[0]


def test_what_the_tables_leave_in_doubt_is_on_the_page(results) -> None:
    entry = results.grid.entries[0]
    hyperparameters = entry.point.hyperparameters.model_copy(update={"conv_filters": 3232})
    large = entry.model_copy(update={"point": entry.point.model_copy(update={"hyperparameters": hyperparameters})})
    report = build(Grid(entries=(large,)), [], results.outdir / "report")
    assert f"{MODEL}: conv_filters 3232 is unusually large; is a comma missing?" in report.html.read_text()


def test_the_winner_is_copied_with_a_word_on_why(results) -> None:
    build(results.grid, results.folders, results.outdir / "report")
    best = results.outdir / "report" / "best" / MODEL
    winner = table_of(results.outdir / "report" / "leaderboard.tsv")[0]["variant"]
    source = results.outdir / MODEL / winner
    assert {path.name for path in best.iterdir()} == {path.name for path in source.iterdir()} | {"README.md"}
    assert (best / f"{winner}.h5").read_bytes() == (source / f"{winner}.h5").read_bytes()
    text = (best / "README.md").read_text()
    assert winner in text
    assert "within one standard error" in text


def test_a_folder_in_the_way_of_the_winner_is_not_replaced(results) -> None:
    own = results.outdir / "report" / "best" / MODEL
    own.mkdir(parents=True)
    (own / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="move it away"):
        build(results.grid, results.folders, results.outdir / "report")
    assert (own / "thesis.txt").read_text() == "mine"


def test_folders_of_an_earlier_grid_are_named_and_kept(results) -> None:
    old = results.outdir / MODEL / f"{MODEL}_9"
    old.mkdir()
    shutil.copy(results.folders[0] / f"{MODEL}_0_run.json", old / f"{MODEL}_9_run.json")
    left = results.outdir / MODEL / f"{MODEL}_5"
    left.mkdir()
    shutil.copy(results.folders[0] / f"{MODEL}_0_run.json", left / f"{MODEL}_5_run.json")
    report = build(results.grid, results.folders, results.outdir / "report", results.outdir)
    assert [(stranger.name, stranger.why) for stranger in report.strangers] == [
        (f"{MODEL}_5", "holds another combination than this grid's of the same name"),
        (f"{MODEL}_9", "the grid has no such combination"),
    ]
    assert f"{MODEL}_9" in report.html.read_text()
    assert old.exists()
    assert table_of(results.outdir / "report" / "leaderboard.tsv")[6]["state"] == "MISSING"


def test_a_variant_of_another_combination_does_not_stand_in_for_this_one(results) -> None:
    entries = list(results.grid.entries)
    moved = Grid(entries=(entries[1].model_copy(update={"index": 0}), *entries[2:]))
    variants, strangers = gather(moved, results.folders)
    assert variants[0].state == "MISSING"
    assert [stranger.name for stranger in strangers] == [f"{MODEL}_0", f"{MODEL}_1"]


def test_a_damaged_variant_is_listed_and_the_others_are_compared(results) -> None:
    (results.folders[0] / f"{MODEL}_0_metrics.json").write_text("{")
    (results.folders[1] / f"{MODEL}_1_run.json").write_text("{}")
    (results.folders[2] / f"{MODEL}_2_history.tsv").write_text("loss\nmuch\n")
    build(results.grid, results.folders, results.outdir / "report")
    rows = {row["variant"]: row for row in table_of(results.outdir / "report" / "leaderboard.tsv")}
    assert [rows[f"{MODEL}_{index}"]["state"] for index in (0, 1, 2)] == ["UNREADABLE"] * 3
    assert "is no Metrics" in rows[f"{MODEL}_0"]["reason"]
    assert [row["rank"] for row in rows.values() if row["state"] == "SUCCEEDED"] == ["1", "2", "3"]


def test_a_grid_without_any_outcome_still_has_a_report(results) -> None:
    report = build(results.grid, [], results.outdir / "report")
    assert {row.variant.state for row in report.ranked} == {"MISSING"}
    assert not (results.outdir / "report" / "validation.pdf").exists()
    assert "MISSING" in report.html.read_text()


def test_a_variant_given_twice_is_an_error(results, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere" / results.folders[0].name
    shutil.copytree(results.folders[0], copy)
    with pytest.raises(InputError, match="given twice"):
        gather(results.grid, [*results.folders, copy])


def test_variants_judged_on_different_reads_are_not_compared_silently(results) -> None:
    path = results.folders[2] / f"{MODEL}_2_run.json"
    path.write_text(path.read_text().replace("b" * 64, "c" * 64))
    report = build(results.grid, results.folders, results.outdir / "report")
    assert "judged on different validation reads" in report.html.read_text()
    assert f"{MODEL}_2 on cccccccccccc" in report.html.read_text()


def test_the_page_says_what_it_is_of_and_when_that_was_trained(results) -> None:
    text = build(results.grid, results.folders, results.outdir / "report").html.read_text()
    assert f"<title>readlabel report: {MODEL}, 8 combinations</title>" in text
    assert "Trained on 2026-01-02, 03:04 to 03:05 UTC." in text


def test_a_long_reason_is_on_the_page_in_full_and_line_by_line(results) -> None:
    path = results.folders[5] / f"{MODEL}_6_run.json"
    record = json.loads(path.read_text())
    record["failure"]["message"] = (
        "exit status 137 after 3 attempts\nlog: /scratch/" + "a_long_folder/" * 20 + ".command.log"
    )
    path.write_text(json.dumps(record))
    report = build(results.grid, results.folders, results.outdir / "report")
    assert f'<p class="reason">NUMERICS: {record["failure"]["message"]}</p>' in report.html.read_text()
    (row,) = (row for row in table_of(results.outdir / "report" / "leaderboard.tsv") if row["index"] == "6")
    assert row["reason"] == "NUMERICS: " + " ".join(record["failure"]["message"].split())


def test_a_hyperparameter_that_one_value_survived_of_has_no_plot(results) -> None:
    lasting = [path for path in results.folders if path.name.endswith(("_0", "_2"))]
    text = build(results.grid, lasting, results.outdir / "report").html.read_text()
    assert "crf_layer: per-base accuracy" in text
    assert "crf_layer: exact order" in text
    assert "conv_filters: per-base accuracy" not in text


def test_one_epoch_draws_no_curve(results) -> None:
    (variant,) = results.folders[:1]
    path = variant / f"{variant.name}_history.tsv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    text = build(results.grid, [variant], results.outdir / "report").html.read_text()
    assert "best epoch" not in text
    assert "<h4>Training</h4>" not in text


def test_notes_reach_the_table_and_the_page(results) -> None:
    path = results.folders[0] / f"{MODEL}_0_run.json"
    note = "train_fraction 0: an untrained baseline"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"notes": [note]}))
    report = build(results.grid, results.folders, results.outdir / "report")
    rows = {row["variant"]: row for row in table_of(results.outdir / "report" / "leaderboard.tsv")}
    assert rows[f"{MODEL}_0"]["notes"] == note
    assert rows[f"{MODEL}_1"]["notes"] == "NA"
    assert note in report.html.read_text()


def test_a_winner_that_never_finds_a_segment_is_no_winner_without_a_word(results, tmp_path: Path) -> None:
    file = results.folders[0] / "10x5p_sc_ont_0_metrics.json"
    metrics = Metrics.model_validate_json(file.read_text())
    labels = tuple(
        label.model_copy(update={"recall": {"UMI": 0, "SLS": 0.25}.get(label.label, label.recall)})
        for label in metrics.validation.labels
    )
    blind = metrics.model_copy(update={"validation": metrics.validation.model_copy(update={"labels": labels})})
    file.write_text(blind.model_dump_json())
    report = build(results.grid, results.folders, results.outdir / "report")
    words = "never finds UMI; rarely finds SLS (25% of its bases)"
    assert f"The best of these variants, but it {words}." in report.html.read_text()
    assert words in (report.html.parent / "best" / "10x5p_sc_ont" / "README.md").read_text()
    rows = table_of(report.html.parent / "leaderboard.tsv")
    assert [row["notes"] for row in rows][:2] == [f"it {words}", "NA"]
    grid = tmp_path / "grid.json"
    grid.write_text(results.grid.model_dump_json())
    command = [sys.executable, "-m", "readlabel.cli"]
    arguments = ["report", "--grid", grid, "--out", tmp_path / "again", *results.folders]
    shown = subprocess.run([*command, *arguments], capture_output=True, text=True, check=True).stdout
    assert f"10x5p_sc_ont_0, the best, {words}" in shown
    head = next(line for line in shown.splitlines() if "per base" in line)
    assert head.split()[-7:] == ["exact", "order", "exact", "barcodes", "exact", "UMIs", "training"]
    (tmp_path / "models").mkdir()
    install = ["export", "--run", results.folders[0], "--install", tmp_path / "models"]
    assert words in subprocess.run([*command, *install], capture_output=True, text=True, check=True).stderr


def test_a_variant_that_tranquillyzer_cannot_load_says_so(results) -> None:
    winner = min(results.folders)
    path = winner / f"{winner.name}_run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tranquillyzer_loads": False}))
    report = build(results.grid, results.folders, results.outdir / "report")
    assert table_of(results.outdir / "report" / "leaderboard.tsv")[0]["tranquillyzer_loads"] == "FALSE"
    assert "cannot load it" in report.html.read_text()
    assert table_of(results.outdir / "report" / "leaderboard.tsv")[1]["tranquillyzer_loads"] == "TRUE"
    assert f"the best that does is {MODEL}_1" in (report.html.parent / "best" / MODEL / "README.md").read_text()
