"""Metering owns where energy is delivered and what meters said: usage points, meters, installations, readings.
It never knows a customer or a price.
The bill run reads its rules to turn readings into consumption.
"""
