"""How an exercise checks an answer: the exercise itself (`core`), the statements of its cases
(`expect`), what it does about the arguments (`arguments`) and its bounds (`limits`), and what a
learner sees (`result`, `source`).
"""
