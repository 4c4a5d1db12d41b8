"""A small shop that really runs, the faults it can have, and the recorder that makes its evidence."""
