"""One file a task: label space, loss and metrics."""
