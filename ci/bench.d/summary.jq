# Single measurements, lines of tab-separated words, to rows: median and quartiles of each; and what they say of the targets.
include "targets";

def quantile($p): sort | ((length - 1) * $p) as $at | ($at | floor) as $i | .[$i] + ((.[$i + 1] // .[$i]) - .[$i]) * ($at - $i);

# In the order in which they were first measured.
def rows: [inputs / "\t"] | to_entries |
    map({at: .key} + (.value | {question: .[0], panel: .[1], tool: .[2], x: (.[3] | tonumber), measure: .[4], value: (.[5] | tonumber)})) |
    group_by([.question, .panel, .tool, .x, .measure]) | sort_by(.[0].at) |
    map((map(.value)) as $values | .[0] | del(.value, .at) +
        {median: ($values | quantile(0.5)), low: ($values | quantile(0.25)), high: ($values | quantile(0.75)), count: ($values | length)});

def summary: {date: $date, kernel: $kernel, cpus: $cpus, memory_mib: $memory_mib, load: $load, questions: $questions[0], rows: rows} | .targets = targets;
