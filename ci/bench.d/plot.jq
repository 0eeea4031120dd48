# A question's rows as a picture, readable on light and on dark ground: lines over the number of volumes, or bars.
include "table";

def colours: {"quiesce": "#2f74e0", "quiesce-expedited": "#0f9d76", "bare": "#8a8f98", "fsfreeze": "#d9822b", "qemu-ga": "#c9447a"};
def others: ["#8a63d2", "#a3742b", "#4a9aa8"];

def escaped: tostring | @html;
def near: . * 10 | round / 10;

# Every tool of these rows with its colour, ours first.
def tools_of($rows): ($rows | map(.tool) | unique) as $names |
    (colours | keys_unsorted | map(select(. as $name | $names | index($name)))) as $known |
    $known + ($names - $known) | to_entries | map({key: .value, value: (colours[.value] // others[.key % 3])});

def text($x; $y; $class; $words): "<text x=\"\($x | near)\" y=\"\($y | near)\" class=\"\($class)\">\($words | escaped)</text>";
def line($x1; $y1; $x2; $y2; $class; $colour):
    "<line x1=\"\($x1 | near)\" y1=\"\($y1 | near)\" x2=\"\($x2 | near)\" y2=\"\($y2 | near)\" class=\"\($class)\"" +
    (if $colour then " stroke=\"\($colour)\"" else "" end) + "/>";

def page($width; $height; $title; $about; $body):
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \($width) \($height)\" width=\"\($width)\" height=\"\($height)\" role=\"img\" aria-label=\"\($title | escaped)\">
<style>
  svg { font: 13px system-ui, sans-serif; background: #fff }
  text { fill: #24292f } .title { font-size: 16px; font-weight: 600 } .quiet { fill: #6a737d; font-size: 12px }
  .right { text-anchor: end } .middle { text-anchor: middle } .strong { font-weight: 600 }
  .grid { stroke: #d8dee4 } .curve { fill: none; stroke-width: 2.5 } .spread { stroke-width: 1.5 } .mark { stroke: #24292f; opacity: 0.6 }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117 } text { fill: #e6edf3 } .quiet { fill: #8b949e } .grid { stroke: #30363d } .mark { stroke: #e6edf3 }
  }
</style>", text(16; 28; "title"; $title), $body, text(16; $height - 14; "quiet"; $about), "</svg>";

def legend($tools; $y): foreach $tools[] as $tool ({x: 16};
    .at = .x | .x += 40 + 7.5 * ($tool.key | length);
    "<circle cx=\"\(.at + 6)\" cy=\"\($y - 4)\" r=\"5\" fill=\"\($tool.value)\"/>", text(.at + 17; $y; ""; $tool.key));

# The whole powers of ten that hold all of these.
def decades: [(map(log10) | min | floor), (map(log10) | max | ceil)] | if .[0] == .[1] then .[1] += 1 else . end;

def lines($about; $caption; $all):
    ($all | map(select(.tool != "bare"))) as $rows | tools_of($rows) as $tools | ($rows | map(.low, .high) | decades) as [$low, $high] | 250 as $height | 86 as $top |
    ($rows | map(.panel) | once) as $panels |
    (if ($panels | length) > 1 then 250 else 700 end) as $width |
    ($rows | map(.x) | unique) as $xs | ($xs | [(min | log10), (max | log10)]) as [$left, $right] |
    def y: $top + $height - ((. | log10) - $low) / ($high - $low) * $height;
    page(($width + 74) * ($panels | length); $top + $height + 76; $about.title; $caption; [
        legend($tools; 54),
        ($panels | to_entries[] | .value as $panel | (70 + .key * ($width + 74)) as $begin |
            def x: $begin + 16 + ((log10 - $left) / ($right - $left)) * ($width - 32);
            text($begin; 76; "strong"; $panel),
            (range($low; $high + 1) | pow(10; .) | line($begin; y; $begin + $width; y; "grid"; null),
                text($begin - 6; y + 4; "quiet right"; in_unit("us"))),
            ($xs[] | text(x; $top + $height + 18; "quiet middle"; .)),
            text($begin + $width / 2; $top + $height + 36; "quiet middle"; "volumes"),
            ($tools[] | .key as $tool | .value as $colour | ($rows | map(select(.panel == $panel and .tool == $tool)) | sort_by(.x)) as $own |
                select($own | length > 0) |
                "<polyline class=\"curve\" stroke=\"\($colour)\" points=\"\($own | map("\(.x | x | near),\(.median | y | near)") | join(" "))\"/>",
                ($own[] | line(.x | x; .low | y; .x | x; .high | y; "spread"; $colour),
                    "<circle cx=\"\(.x | x | near)\" cy=\"\(.median | y | near)\" r=\"4\" fill=\"\($colour)\"/>")))
    ] | join("\n"));

# A round step of which some four make up this much.
def step: (. / 4) as $about | pow(10; $about | log10 | floor) | . * ([1, 2, 5, 10] as $round | . as $unit | first($round[] | select(. * $unit >= $about)));

def bars($about; $caption; $rows):
    tools_of($rows) as $tools | ($rows | map(.high) | max) as $most | 160 as $begin | 560 as $width |
    def x: $begin + . / $most * $width;
    ($rows | grouped) as $groups |
    ($groups | map(length * 22 + 34) | add) as $height |
    page($begin + $width + 130; 50 + $height + 56; $about.title; $caption; [
        (range(0; $most; $most | step) | line(x; 46; x; 50 + $height; "grid"; null),
            text(x; 50 + $height + 16; "quiet middle"; in_unit($about.unit // "us"))),
        (foreach $groups[] as $group ({y: 50}; .at = .y | .y += ($group | length) * 22 + 34;
            text(16; .at + 16; "strong"; $group[0].panel + (if $about.x then ", \($group[0].x) \($about.x)" else "" end)),
            (.at as $at | [$tools[] | . as $tool | $group[] | select(.tool == $tool.key) + {colour: $tool.value}] | to_entries[] |
                ($at + 24 + .key * 22) as $y | .value |
                text($begin - 8; $y + 13; "right"; .tool),
                "<rect x=\"\($begin)\" y=\"\($y)\" width=\"\((.median | x) - $begin | near)\" height=\"17\" rx=\"2\" fill=\"\(.colour)\"/>",
                line(.low | x; $y + 8.5; .high | x; $y + 8.5; "mark"; null),
                text((.high | x) + 7; $y + 13; ""; .median | in_unit($about.unit // "us")))))
    ] | join("\n"));

def plot($question): .questions[$question] as $about |
    "medians, quartiles as thin lines; \(if $about.plot.kind == "lines" then "logarithmic" else "linear" end). \(machine)" as $caption |
    (.rows | map(select(.question == $question and .measure == $about.plot.measure))) as $rows | select($rows | length > 0) |
    ($about + $about.plot) as $about |
    if $about.kind == "lines" then lines($about; $caption; $rows)
    elif $about.largest then ($rows | map(.x) | max) as $x | bars($about; $caption; $rows | map(select(.x == $x)))
    else bars($about; $caption; $rows) end;
