"""The domain and infrastructure that both workloads use. It imports neither of them."""
