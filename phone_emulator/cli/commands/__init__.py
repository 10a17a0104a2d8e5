"""The commands of phone-emulator, one a file."""
