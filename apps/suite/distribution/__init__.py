"""Trains on several devices and machines: strategies, workers, replicas, Ray."""
