"""Chapters 4 and 5. What may be seen (`masks`), the four lines of attention (`attend`), the
translator of chapter 2 with attention (`translator`); then attention without recurrence: several
heads at once (`multi_head`) and the order of the words (`positions`).
"""
