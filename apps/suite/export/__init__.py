"""Exports SavedModel and ONNX, checks them in a foreign process, and asks them."""
