"""Recipes that make the models of models/: read data, train, evaluate, export; the only package that imports torch."""
