"""Rehearsal: runs somebody's own program through every act of a call's life, and grades it.

Owns the programme of acts, the rules, and the reports. Imports ``testing``, which runs a sandbox in
this process, and the exports of ``journal``. Only ``cli`` imports it, and pytest its plugin.
"""
