# The message of the day.
text: { etc."motd".text = text + "\n"; }
