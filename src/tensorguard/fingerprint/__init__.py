"""From weights to fingerprint: plan, tasks, fold, file."""
