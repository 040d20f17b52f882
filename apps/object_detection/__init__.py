"""Detects objects in every frame of a video, with a memory of the frames before."""
