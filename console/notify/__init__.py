"""Telling people and systems of alerts: what is told to whom, in which words, and that it gets there."""
