"""Shows answers in a report: labels and values as plots and tables."""
