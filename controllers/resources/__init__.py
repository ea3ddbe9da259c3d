"""The custom resources: their models, and the defaults that the operator creates."""
