"""The bindings that dezero-cuda uses."""
