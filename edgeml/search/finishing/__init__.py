"""What follows a search: its front compressed, measured again, scored on test."""
