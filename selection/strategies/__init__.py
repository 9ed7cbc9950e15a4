"""How the ``uncertain`` lane chooses: one registry of strategies (``registry``), each a plain function over arrays."""
