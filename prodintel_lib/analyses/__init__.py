"""Analyses: rollups in, frozen and typed results out."""
