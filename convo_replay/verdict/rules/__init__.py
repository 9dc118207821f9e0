"""The rules of the verdict, one file each, named like the rule. A new one is a new file here.

A module has one `RULE` and one function `check(case) -> findings`. A check raises nothing, whatever the run holds.
Where two rules are true of the same thing, one of them says so: `Rule.yields_to`.
"""
