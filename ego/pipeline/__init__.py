"""Where the rooms meet: scan, extract, fit, finetune, status."""
