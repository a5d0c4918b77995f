"""Ethos-U through Arm Vela."""
