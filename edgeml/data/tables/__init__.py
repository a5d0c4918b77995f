"""Tables: text or Parquet -> rows of features."""
