"""The doors: command line and page. Thin; nothing imports them."""
