"""Rails: what the engine may not do, one rail a module, asked in one order."""
