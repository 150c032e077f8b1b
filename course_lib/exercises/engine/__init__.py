"""How an exercise checks an answer: the exercise itself (`core`), the statements of its cases
(`expect`), its bounds (`limits`), and what a learner sees (`result`, `source`).
"""
