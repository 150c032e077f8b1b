"""Chapter 8. A network in two parts, body and head (`networks`), and which weights are trained
how fast (`freezing`).
"""
