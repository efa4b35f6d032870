"""Long proofs: what a gateway goes through in years, in ten minutes."""
