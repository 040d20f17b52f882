"""Puts sequences and texts to a trained model: scored, asked, served, smoothed, drawn."""
