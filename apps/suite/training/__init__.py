"""Trains: fit, exact checkpoints, history, optimizer."""
