"""Microcontrollers: tflite-micro and Cortex-M."""
