# The result as text: a table for each question and measure, a column for each tool, then the targets.

def padded($width): tostring | . + " " * ([$width - length, 0] | max);

def digits: if . == null then "-" elif . >= 100 or . == 0 then round | tostring
    elif . >= 10 then . * 10 | round / 10 | tostring else . * 100 | round / 100 | tostring end;

# Microseconds, bytes or a number, by what was measured.
def in_unit($unit): if . == null then "-"
    elif $unit == "us" and . >= 1e7 then (. / 1e6 | digits) + " s" elif $unit == "us" then (. / 1000 | digits) + " ms" elif $unit == "B" then (. / 1024 | digits) + " KiB" else digits + $unit end;

def unit: if . == "rate" then "/s" elif . == "binary" or endswith("resident") then "B" else "us" end;

def cell($unit): if . == null then "" else (.median | in_unit($unit)) + " (" + (.low | in_unit($unit) | split(" ")[0]) + "–" +
    (.high | in_unit($unit) | split(" ")[0]) + ")" end;

# Without what was there before, in their order.
def once: reduce .[] as $one ([]; if index([$one]) then . else . + [$one] end);

# What belongs to one panel and x, panels in their order.
def grouped: (map(.panel) | once) as $panels | group_by([.panel, .x]) | sort_by([(.[0].panel as $panel | $panels | index($panel)), .[0].x]);

def measure_table($rows; $measure):
    ($rows | map(.tool) | once) as $tools |
    ([($rows[] | "\(.panel), \(.x)" | length), ($measure | length - 2)] | max + 5) as $first |
    ("  " + ($measure | padded($first)) + ($tools | map(padded(26)) | add)),
    ($rows | grouped[] |
        . as $same | "  " + ("  \(.[0].panel), \(.[0].x)" | padded($first)) +
        ($tools | map(. as $tool | first($same[] | select(.tool == $tool)) // null | cell($measure | unit) | padded(26)) | add));

def times: if . < 1 then "1/\(1 / . | digits)" else "\(digits) ×" end;

def targets_of($question): .targets[] | select(.question == $question and .met != null) | .unit as $unit |
    "  " + (if .met then "yes" else "NO " end) + "  " + (.what | padded(66)) +
    (.value | in_unit($unit) | padded(12)) + (if .base == null then (if .at_least then "at least " else "at most " end) + (.limit | in_unit($unit))
     else "of \(.base | in_unit($unit)): \(.value / .base | times), at most \(.limit / .base | times)" end);

# How busy it was says how far to believe it.
def machine: "\(.date), Linux \(.kernel), \(.cpus) processors, \(.memory_mib / 1024 | round) GiB, load \(.load | round)";

def table: . as $result |
    "Medians (and quartiles). \(machine)",
    (.questions | to_entries[] | .key as $question | .value as $about |
        ($result.rows | map(select(.question == $question))) as $rows | select($rows | length > 0) |
        "", "\($question): \($about.title)",
        ($about.measures[] as $measure | ($rows | map(select(.measure == $measure))) as $same | select($same | length > 0) |
            measure_table($same; $measure)),
        ($result | targets_of($question)),
        ([$result.targets[] | select(.question == $question and .met == null)] | length | select(. > 0) |
            "  -    \(.) of the targets: not measured"));
