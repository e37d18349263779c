"""The portal: functions from the contract to HTML, used by the pages in ``docs/``.

It knows nothing of the sandbox's server; it reads contract, problems and scenarios, and stops
the build wherever a page names something that does not exist.
"""
