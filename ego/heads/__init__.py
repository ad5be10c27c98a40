"""One file a head: what learns a task from cached features; the one training loop."""
