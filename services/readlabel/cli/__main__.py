"""`python -m readlabel.cli` is `readlabel`."""

from readlabel.cli import main

main()
