"""The controllers' loops. They run and can be tested without Kubernetes."""
