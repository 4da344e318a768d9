"""The webhook receiver: what a service posts becomes an asset event, and never an outcome."""
