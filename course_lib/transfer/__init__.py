"""Chapter 8. A network in two parts, body and head (`networks`), which weights are trained how
fast (`freezing`), and a large network from ImageNet (`efficientnet`). Shared by chapters 9 to 11:
text classifiers (`classify`), and files of published models (`published`, `gguf`).
"""
