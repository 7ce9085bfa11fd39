"""Text in, the entities it names out."""
