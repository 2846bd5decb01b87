"""How often a rule would have fired over the tracks that are kept: the rules run again, in a process of their own."""
