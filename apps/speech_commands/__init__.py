"""Learns to tell spoken words apart, clip by clip and in a stream of sound."""
