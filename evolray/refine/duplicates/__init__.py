"""Which records say what another one says, and which of them stays."""
