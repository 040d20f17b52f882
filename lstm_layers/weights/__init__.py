"""Converts weights to and from other libraries; holds no layers."""
