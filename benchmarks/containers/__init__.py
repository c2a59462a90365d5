"""The same model in every container: are equal values seen to be equal, and rounded ones to be a quantised copy?"""
