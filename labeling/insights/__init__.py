"""What labels tell: use cases that turn the ledger's answers into figures, findings and actions."""
