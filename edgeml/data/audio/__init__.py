"""Recordings of sound -> waveforms, and the integer front ends that networks hear with."""
