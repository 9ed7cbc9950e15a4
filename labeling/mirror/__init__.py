"""The registry of models, shown in somebody else's MLflow; one way, and the ledger stays the truth."""
