"""Labelled reads: in memory, in Parquet, in tranquillyzer's pickles; and sequences from FASTA and FASTQ."""
