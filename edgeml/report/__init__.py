"""A run directory -> leaderboard, report.html and the lines that end a search."""
