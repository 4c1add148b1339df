"""Stand-ins for the bindings that dezero-cuda uses."""
