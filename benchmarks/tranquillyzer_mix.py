"""Reads of the lengths that tranquillyzer 0.2.2 simulates: ours, with the fault back in that makes some of them long.

There a flank of length 0 becomes a whole transcript (`docs/simulation.md`). So here a read that has no flank at an end
gets a transcript of random bases there, labelled cDNA, and its reverse complement gets the same one; an end that was
truncated or has repeated adapters stays as it is. Transcripts are as long as those at the ends of tranquillyzer's
sample reads. Not imitated: flanks of length 0 between joined molecules, and cDNA cut short by short transcripts.

    python benchmarks/tranquillyzer_mix.py SIMULATED.parquet OUT.parquet
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np

from readlabel.reads.labelled import KINDS, STRANDS, LabelledReads, runs
from readlabel.reads.parquet import read_library, read_reads, write_reads
from readlabel.reads.tokens import COMPLEMENT

TRANSCRIPTS = (713, 772, 1501, 1678, 1819, 2071, 2307, 2635)
"""Bases of the transcripts at the ends of 500 sample molecules, as whole as errors and truncation left them."""
_CHANGED_END = {KINDS.index(f"{kind}_{end}"): end for kind in ("truncated", "repeated") for end in ("5p", "3p")}


def with_whole_transcripts(reads: LabelledReads, seed: int = 1) -> LabelledReads:
    """The same reads with a transcript at each end that has no flank.

    Args:
        reads: simulated, from a library with cDNA.
        seed: of the transcripts.
    """
    cdna = reads.label_names.index("cDNA")
    minus = STRANDS.index("-")
    tokens, labels = [], []
    for read in range(len(reads)):
        bases = slice(int(reads.offsets[read]), int(reads.offsets[read + 1]))
        own, truth = reads.tokens[bases], reads.labels[bases]
        turned = reads.strand[read] == minus
        added = {"5p": own[:0], "3p": own[:0]}
        for end, edge in (("5p", truth[-1 if turned else 0]), ("3p", truth[0 if turned else -1])):
            if edge != cdna and _CHANGED_END.get(int(reads.kind[read])) != end:
                # Drawn for pair and end, so that both reads of a pair show one transcript.
                random = np.random.default_rng([seed, int(reads.pair[read]), end == "3p"])
                transcript = random.integers(1, 5, random.choice(TRANSCRIPTS)).astype(np.uint8)
                added[end] = COMPLEMENT[transcript[::-1]] if turned else transcript
        before, after = (added["3p"], added["5p"]) if turned else (added["5p"], added["3p"])
        tokens.append(np.concatenate([before, own, after]))
        labels.append(np.pad(truth, (len(before), len(after)), constant_values=cdna))
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in tokens])]).astype(np.int64)
    flat = np.concatenate(labels)
    return dataclasses.replace(
        reads, offsets=offsets, tokens=np.concatenate(tokens), labels=flat, segments=runs(offsets, flat)
    )


def main() -> None:
    simulated, out = map(Path, sys.argv[1:])
    write_reads(out, [with_whole_transcripts(read_reads(simulated))], read_library(simulated))


if __name__ == "__main__":
    main()
