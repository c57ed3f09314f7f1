"""What one may do to the pipeline: the single door for every face (docs/explanation/actions.md). A module per family of verbs.

Every action takes a connection or None, the actor, what it is to do, and by keyword the reason, the number of things that a
preview had shown, and ``apply``. It returns a frozen dataclass and leaves a row in marketing.actions. With ``apply=False`` the
very same function runs, nothing of it stays, and what it would have done is returned.

Belongs here: what the work of one action is. Not here: the work itself (the floors below), asking and showing (the faces).
"""
