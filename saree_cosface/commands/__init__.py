"""The sub-commands of ``saree-cosface``, a file each: what can be asked, and the one function that is called with it.

``add`` adds a command's parser and returns what runs it, by name. Nothing heavy is imported until a command runs.
"""
