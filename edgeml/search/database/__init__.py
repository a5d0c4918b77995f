"""Optuna's study in a database, for readers and for coordinators that share it."""
