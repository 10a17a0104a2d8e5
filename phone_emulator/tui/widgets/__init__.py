"""The panes, one a file: each is given rows of plain data and draws them."""
