"""The pages at the proxy's own address, and the JSON API behind them."""
