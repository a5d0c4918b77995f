"""Ask, evaluate, tell: the study, its archive and its run directory."""
