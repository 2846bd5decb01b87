"""The gate: whether a candidate may take the place of the model in service, and of what it is worse. No torch.

`sets.py` reads the frozen sets, `predict.py` lets both models see them as the stream would; `measure.py` and `judge.py`
are pure: figures with their confidence, and the verdict with its reasons.
"""
