"""What predicts the fully trained error of points that were never trained."""
