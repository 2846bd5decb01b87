"""Second-stage classifiers: from a folder of pictures to an attribute that a rule can ask for."""
