"""What a page shows: figures, tables and sentences (`plots`), figures that move without a kernel
(`widgets`), attention maps (`heatmap`, `headmaps`), and our own drawings (`drawings`).
"""
