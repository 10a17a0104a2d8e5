"""The machine's microphone and loudspeaker as the phone's handset."""
