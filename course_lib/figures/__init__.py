"""What a page shows: figures, tables and sentences (`plots`), curves with bands (`curves`), what an
interval says in words (`verdicts`), figures that move without a kernel (`widgets`), attention maps
(`heatmap`, `headmaps`), and our own drawings (`drawings`).
"""
