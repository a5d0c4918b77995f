"""`python -m edgeml.cli`."""

from edgeml.cli import main

main()
