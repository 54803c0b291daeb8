"""What the adapters of queues for Node share."""
