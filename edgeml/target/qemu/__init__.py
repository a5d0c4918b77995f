"""LiteRT for aarch64 under qemu-aarch64, with a plugin of ours that counts instructions."""
