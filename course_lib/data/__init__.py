"""The data rooms: pinned archives, the real corpora taken from them, and batching.

Nothing is imported here, so that `import course_lib.data` stays instant; import the room you
need, for example `from course_lib.data import verses`.
"""
