"""A site in, one service's definition out; one module for each."""
