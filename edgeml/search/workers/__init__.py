"""Processes of this computer that train, and what they may use."""
