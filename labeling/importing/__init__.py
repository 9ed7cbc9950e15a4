"""Other tools' exports, and Label Studio projects that Goldfold did not make, turned into items and annotations."""
