"""Roboflow's paths, words, limits and rules; no input or output."""
