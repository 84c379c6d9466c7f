"""Simulated reads with known truth: `simulate.simulate` gives them, `write.write_simulated` writes a file of them.

The rules, each with its reason, are in docs/simulation.md. The way of a block of reads: `layout` (what a library's
reads are made of) and `pool` (the bases they are made from), then `templates` (which stretches of the pool make up each
read), `errors` (what the sequencer does to them), `assemble` (their bases, labels and segment tables).
"""
