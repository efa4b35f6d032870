"""The past: what is kept of all readings, and how it is asked for."""
