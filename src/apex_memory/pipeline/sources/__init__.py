"""JSON records in, bundles out; one module per sender."""
