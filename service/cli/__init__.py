"""The commands of ``tokenhouse``, one module each; what they decide is decided below."""
