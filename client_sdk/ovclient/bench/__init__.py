"""A closed loop: so many clients, each sending its next request when the last is answered, and what that took."""
