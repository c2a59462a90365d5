"""The other half of a side-by-side: rivals that tell whether two local models are related, behind one protocol."""
