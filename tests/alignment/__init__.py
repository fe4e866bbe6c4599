"""Media with known content, and checks of what each stage of the workflow stores."""
