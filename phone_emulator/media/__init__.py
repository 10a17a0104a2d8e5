"""Media: session descriptions, codecs and what RTP carries."""
