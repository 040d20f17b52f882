"""Serves exports over REST and gRPC, and asks servers."""
