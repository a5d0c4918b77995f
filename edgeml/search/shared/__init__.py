"""One study of several coordinators."""
