"""Moving archives: what they are made of, how they are sent, and how a broken sending goes on."""
