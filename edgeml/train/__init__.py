"""Graph -> trained weights: build, inherit, fit."""
