"""Models as people see and decide about them: versions, what is where, what a candidate sees otherwise."""
