"""Scenarios: what a test must do and see, in a neutral form that every renderer reads."""
