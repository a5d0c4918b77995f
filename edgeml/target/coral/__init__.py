"""Edge TPU (Coral): what maps, where parameters lie, how long it takes."""
