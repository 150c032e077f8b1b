"""How every model of the course is trained: the loop (`loop`), what it makes small (`losses`),
how fast (`schedules`), what it leaves on disk (`checkpoint`), and several processes at once
(`distributed`).
"""
