"""`python -m edgeml.cli`."""

from edgeml.cli import main

if __name__ == "__main__":
    main()
