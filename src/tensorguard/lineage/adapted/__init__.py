"""Low-rank adapters without their base: against each other, against whole models, and against what a registry holds."""
