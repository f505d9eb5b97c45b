"""`python -m rearch`: the console script."""

from rearch.cli.program import main

main()
