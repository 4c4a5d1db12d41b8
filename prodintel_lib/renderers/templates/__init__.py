"""Templates of generated files: Python that parses as it is, and runs once its marks are filled."""
