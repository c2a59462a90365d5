"""What interrupts, breaks and wears out: kills, full disks, read errors, two writers of one output, hours of work."""
