"""One result, many forms: table, JSON, figures, one HTML page."""
