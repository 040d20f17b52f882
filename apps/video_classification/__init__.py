"""Actions in video clips: a small CNN over every frame, a recurrent network over time."""
