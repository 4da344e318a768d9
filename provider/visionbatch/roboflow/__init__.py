"""Roboflow Batch Processing and Data Staging: paths, words, rules and operations, without input or output."""
