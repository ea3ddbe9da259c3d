"""What the tests of several layers share."""
