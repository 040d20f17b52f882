"""Reads tables: csv and parquet to typed columns, times, steps, series, scaling, seasons."""
