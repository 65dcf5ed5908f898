"""The model: what one optimizer step costs in time and memory. Pure formulas, numpy only."""
