"""Privacy: personal data and secrets become stable, format-preserving pseudonyms before anything is written."""
