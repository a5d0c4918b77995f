"""What a device allows and costs."""
