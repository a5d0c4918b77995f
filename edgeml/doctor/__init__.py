"""Computer and installation -> what works here, as text that can be pasted into a bug report."""
