"""Why a model saw what it saw: the picture with a heat map over it, made by a process of its own for one question."""
