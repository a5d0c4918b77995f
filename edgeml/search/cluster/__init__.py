"""Evaluations on a Dask cluster."""
