"""Apex Memory."""
