"""Are the causes that were planted found, and nothing else? See README.md."""
