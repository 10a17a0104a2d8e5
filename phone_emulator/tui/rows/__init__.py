"""What the panes say, as plain data: made from the phone, the journal and the time; knows no terminal."""
