"""What is wrong with a data set, seen before anything is trained on it."""
