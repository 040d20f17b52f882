"""Evaluates: comparison with baselines, classification measures, plots, report.html."""
