"""Classifies actions in video clips: a CNN over every frame, a recurrent network over time."""
