"""What labels and traffic say to those who act on them: one module a use case."""
