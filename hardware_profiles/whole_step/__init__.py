"""The whole step of a plain PyTorch decoder, measured and set against its prediction.

What is run is stated once, as a `plan3d.simulator.model.ModelSpec`: `decoder` builds it, `training`
trains it for a few steps, `compare` predicts the same steps. Only `decoder`, `training`, `tracker`,
`saved` and `devices` need torch; nothing here imports them.
"""
