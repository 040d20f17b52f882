"""Runs a task's commands: arguments from its typed config, errors, exit status."""
