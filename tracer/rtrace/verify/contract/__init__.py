"""What a comparator promises, as checks that anybody can run on theirs: `python -m rtrace.verify.contract NAME`."""
