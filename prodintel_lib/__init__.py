"""Production intelligence: evidence from production in, understanding and runnable tests out."""

__version__ = "0.1.0"
