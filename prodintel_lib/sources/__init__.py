"""Sources: what a vendor exports in, canonical tables out; what cannot be read goes to a quarantine with its reason."""
