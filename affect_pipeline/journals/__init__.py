"""From landing zone to collected recording: delivery, sidecar, identity, decoding."""
