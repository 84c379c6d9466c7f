"""The baseline of `benchmarks/simulator.py`: tranquillyzer's way of simulating, base by base in plain Python.

Strings and lists of label names, one `random` call a base, reads and labels pickled at the end. Written from the
description in docs/simulation.md; no line of it is tranquillyzer's.

    python benchmarks/plain_simulator.py NUM_READS FOLDER     writes reads.pkl and labels.pkl, prints a JSON line
"""

from __future__ import annotations

import json
import pickle
import random
import resource
import sys
import time
from pathlib import Path

SEGMENTS = (
    ("5p", "TCTACACGACGCTCTTCCGATCT"),
    ("CBC", "N16"),
    ("UMI", "N12"),
    ("polyT", "T"),
    ("cDNA", "NN"),
    ("3p", "CCCATGTACTCTGCGTTGATACCACTGCTT"),
)
MISMATCH, INSERTION, DELETION, TAIL_ERROR = 0.05, 0.05, 0.06, 0.02
COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A"}


def random_bases(count: int) -> str:
    return "".join(random.choice("ACGT") for _ in range(count))


def fragment(transcripts: list[str], count: int) -> str:
    transcript = random.choice(transcripts)
    return transcript[:count] if random.random() < 0.5 else transcript[len(transcript) - min(count, len(transcript)) :]


def molecule(transcripts: list[str]) -> tuple[str, list[str]]:
    sequence: list[str] = []
    labels: list[str] = []
    for name, pattern in (("cDNA", "flank"), *SEGMENTS, ("cDNA", "flank")):
        if pattern == "flank":
            bases = fragment(transcripts, random.randrange(50))
        elif pattern == "NN":
            bases = fragment(transcripts, random.randint(100, 500))
        elif pattern.startswith("N"):
            bases = random_bases(int(pattern[1:]))
        elif pattern in ("A", "T"):
            bases = pattern * random.randrange(50)
        else:
            bases = pattern
        sequence.append(bases)
        labels += [name] * len(bases)
    return "".join(sequence), labels


def invalid(transcripts: list[str], sequence: str, labels: list[str]) -> tuple[str, list[str]]:
    kind = random.randrange(5)
    if kind == 0:
        other, other_labels = molecule(transcripts)
        turn = random.randrange(4)
        if turn >= 2:
            other, other_labels = other[::-1], other_labels[::-1]
        if turn == 3:
            other = "".join(COMPLEMENT[base] for base in other)
        return sequence + other, labels + other_labels
    if kind == 1:
        return SEGMENTS[0][1] * 3 + sequence, ["5p"] * 3 * len(SEGMENTS[0][1]) + labels
    if kind == 2:
        return sequence + SEGMENTS[-1][1] * 3, labels + ["3p"] * 3 * len(SEGMENTS[-1][1])
    cut = random.randint(1, int(0.7 * len(sequence)))
    return (sequence[cut:], labels[cut:]) if kind == 3 else (sequence[:-cut], labels[:-cut])


def with_errors(sequence: str, labels: list[str]) -> tuple[str, list[str]]:
    bases: list[str] = []
    kept: list[str] = []
    for base, label in zip(sequence, labels, strict=True):
        if label == "cDNA":
            bases.append(base)
            kept.append(label)
            continue
        tail = label == "polyT"
        mismatch, insertion, deletion = (TAIL_ERROR,) * 3 if tail else (MISMATCH, INSERTION, DELETION)
        chance = random.random()
        if chance < mismatch:
            bases.append(random.choice([other for other in "ACGT" if other != base]))
            kept.append(label)
        elif chance < mismatch + insertion:
            bases += [base, random.choice("ACGT")]
            kept += [label, label]
        elif chance >= mismatch + insertion + deletion:
            bases.append(base)
            kept.append(label)
    return "".join(bases), kept


def simulate(num_reads: int, transcripts: list[str]) -> tuple[list[str], list[list[str]]]:
    reads: list[str] = []
    labels: list[list[str]] = []
    for _ in range(num_reads):
        template = molecule(transcripts)
        if random.random() < 0.3:
            template = invalid(transcripts, *template)
        turned = "".join(COMPLEMENT[base] for base in reversed(template[0])), template[1][::-1]
        for strand in (template, turned):
            sequence, names = with_errors(*strand)
            reads.append(sequence)
            labels.append(names)
    return reads, labels


def main() -> None:
    num_reads, folder = int(sys.argv[1]), Path(sys.argv[2])
    random.seed(1)
    transcripts = [random_bases(random.randint(500, 1500)) for _ in range(1000)]
    began = time.process_time()
    reads, labels = simulate(num_reads, transcripts)
    steady = time.process_time() - began
    for name, value in (("reads.pkl", reads), ("labels.pkl", labels)):
        with (folder / name).open("wb") as file:
            pickle.dump(value, file)
    bases = sum(map(len, reads))
    whole = time.process_time()
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"bases": bases, "steady_cpu_s": steady, "whole_cpu_s": whole, "peak_rss_mb": peak_mb}))


if __name__ == "__main__":
    main()
