class Drift:
    pass
