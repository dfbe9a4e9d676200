"""The agents' side: runs in a process of its own, started with the flag.

TF-Agents is written for Keras 2 and needs `TF_USE_LEGACY_KERAS=1` before
TensorFlow is first imported. Nothing outside this package imports it.
"""
