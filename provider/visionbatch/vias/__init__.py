"""Huawei VIAS: its paths, words, limits, rules and signing; no input or output."""
