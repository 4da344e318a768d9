"""The mock's window: pages for people at `/` and below `/_dashboard/`."""
