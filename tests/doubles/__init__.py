"""Local servers that speak the wire formats of services that tests must not reach."""
