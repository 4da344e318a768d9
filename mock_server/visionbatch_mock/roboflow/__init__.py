"""Roboflow's Data Staging and Batch Processing, from the vendor's documents and what its own client insists on."""
