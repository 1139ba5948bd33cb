"""noWorkflow 2: its database in `.noworkflow`, and the contents beside it."""
