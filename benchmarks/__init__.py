"""Measurements of Goldfold beside named peers, in the same run on the same machine."""
