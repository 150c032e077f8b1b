"""How every model of the course is trained: the loop (`loop`), what it makes small (`losses`), how
fast (`schedules`); and long runs, which go on after a kill (`resumable`) from what they leave on
disk (`checkpoint`), in several processes at once (`distributed`), each of which may hold a part of
the model (`sharded`).
"""
