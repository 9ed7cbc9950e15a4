"""Models: texts in, per-policy probabilities and embeddings out. No storage, no HTTP.

Import the module you need; this package and ``scoring.base`` stay free of torch, so that rooms which only pass
scores around do not pay for it.
"""
