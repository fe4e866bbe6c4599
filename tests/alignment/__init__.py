"""Media with known content, and what each stage of the workflow holds of it."""
