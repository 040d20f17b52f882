"""Learns what a series usually does, scores how far each step is from it, and raises alarms."""
