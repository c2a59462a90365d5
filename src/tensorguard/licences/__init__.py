"""What a lineage obliges to: licences as data, what a model claims, and where the two part."""
