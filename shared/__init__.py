"""The domain and infrastructure of both workloads. It imports neither of them."""
