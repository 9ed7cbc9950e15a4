"""SOP studio: a policy as a decision tree of observable questions, read from YAML, linted, replayed on gold, and
compiled to a form, an agent's prompt and a printable guide from one tree hash."""
