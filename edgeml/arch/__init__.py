"""What a network is: cells, architectures, graphs, spaces, costs. Imports no framework."""
