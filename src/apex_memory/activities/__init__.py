"""References in, references out: Temporal's edge around one port call each."""
