"""What a paper claims, as a manifest says it: judged by the results of a replay."""
