"""A command line in, answers, progress and exit codes out. Commands import what they need when they run."""

from apex_memory.cli.app import app, main

__all__ = ["app", "main"]
