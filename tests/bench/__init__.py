"""What the gateway costs, beside programs that do a part of its work: ``make bench``."""
