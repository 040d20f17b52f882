"""Builds the demo page; its tabs come from the tasks."""
