"""Rollups: the heavy passes over canonical tables, in Narwhals, the same on Polars, DuckDB and Spark."""
