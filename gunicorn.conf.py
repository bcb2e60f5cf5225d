"""What gunicorn reads by itself wherever the pages are started: on this machine, in a container, to be measured."""

# As long as it lets an address be. It refuses a longer one by itself, in its own words.
limit_request_line = 8190
