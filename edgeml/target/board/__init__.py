"""What runs on a board: runner.py is sent there as text; it imports nothing of edgeml."""
