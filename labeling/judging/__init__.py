"""Judging models: the gate, sealed questions, promotion, thresholds, and figures about all traffic."""
