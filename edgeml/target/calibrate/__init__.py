"""A profile's estimator fitted to a device."""
