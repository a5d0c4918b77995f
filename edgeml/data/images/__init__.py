"""Pictures: folders, lists and IDX files of them -> uint8 arrays of one size."""
