"""What goes wrong while getting a server."""


class ServerError(Exception):
    """A server could not be had or started; the message says why and what to do."""
