"""Puts sequences and texts to a trained model: asked, served, smoothed, drawn."""
