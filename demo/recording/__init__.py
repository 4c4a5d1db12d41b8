"""The recorder: runs an incident for real and writes the evidence a team would have of it."""
