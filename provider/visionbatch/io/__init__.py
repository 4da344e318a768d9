"""Everything that touches the world: sockets, files, clocks. No vendor's word is known here."""
