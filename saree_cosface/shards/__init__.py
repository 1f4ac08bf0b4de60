"""Embeddings of large collections: a folder of Parquet files, made on one machine or many, and read instead of
computing again."""
