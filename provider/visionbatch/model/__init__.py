"""The nouns: frozen values with no network, disk or clock behind them."""
