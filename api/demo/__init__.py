"""The demo: real content, replayed human answers, the whole loop twice."""
