"""What starts and watches the peers: their environments, databases and processes."""
