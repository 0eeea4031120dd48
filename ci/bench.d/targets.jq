# What must be reached. Each target is {question, what, value, base, limit, unit, at_least, met}: `limit` is in `unit`, and
# where it is a part of something else measured, `base` is that; null: not measured. Those whose question was not asked are
# left out.

def ours: startswith("quiesce");
def is_peer: (ours or . == "bare") | not;

def value($question; $panel; $tool; $x; $measure):
    first(.rows[] | select(.question == $question and .panel == $panel and .tool == $tool and .x == $x and .measure == $measure) |
        .median) // null;

def best_peer($question; $panel; $x; $measure):
    [.rows[] | select(.question == $question and .panel == $panel and .x == $x and .measure == $measure and (.tool | is_peer)) |
        .median] | min;

def at_most($question; $what; $value; $limit; $unit):
    {question: $question, what: $what, value: $value, base: null, limit: $limit, unit: $unit, at_least: false,
     met: (if $value == null then null else $value <= $limit end)};

def at_least($question; $what; $value; $limit; $unit):
    at_most($question; $what; $value; $limit; $unit) |
    .at_least = true | .met = (if $value == null then null else $value >= $limit end);

# At most 1/$part of what is beside it.
def part_of($question; $what; $value; $base; $part; $unit):
    at_most($question; $what; $value; (if $base == null then null else $base / $part end); $unit) |
    .base = $base | .met = (if $value == null or $base == null then null else .met end);

def cost:
    def it($measure): value("cost"; "ext4"; "quiesce"; 1; $measure);
    at_most("cost"; "a run adds to its parts"; it("added"); 10000; "us"),
    at_most("cost"; "end of snapshot to thaw"; it("to_thaw"); 1000; "us"),
    at_most("cost"; "SIGKILL of the agent to thawed"; it("kill"); 10000; "us"),
    at_most("cost"; "agent, resident while frozen"; it("agent_resident"); 4194304; "B"),
    at_most("cost"; "guardian, resident while frozen"; it("guardian_resident"); 4194304; "B"),
    at_most("cost"; "the program, stripped"; it("binary"); 409600; "B");

def trivial:
    value("trivial"; "ext4"; "Azure (given)"; 4; "took") as $azure |
    part_of("trivial"; "4 volumes, beside Azure's extension"; value("trivial"; "ext4"; "quiesce"; 4; "took"); $azure; 150; "us"),
    part_of("trivial"; "the same, expedited"; value("trivial"; "ext4"; "quiesce-expedited"; 4; "took"); $azure; 2000; "us");

def volumes:
    def it($tool; $x; $measure): value("volumes"; "ext4"; $tool; $x; $measure);
    def window($x):
        part_of("volumes"; "window with \($x) volumes, beside a bare pair of one"; it("quiesce"; $x; "window"); it("bare"; 1; "window"); 1 / 1.3; "us");
    part_of("volumes"; "32 volumes, beside qemu-ga"; it("quiesce"; 32; "stall"); it("qemu-ga"; 32; "stall"); 20; "us"),
    part_of("volumes"; "32 volumes, beside qemu-ga, expedited"; it("quiesce-expedited"; 32; "stall"); it("qemu-ga"; 32; "stall"); 100; "us"),
    part_of("volumes"; "1 volume, beside qemu-ga, expedited"; it("quiesce-expedited"; 1; "stall"); it("qemu-ga"; 1; "stall"); 15; "us"),
    (("quiesce", "quiesce-expedited") as $tool |
        part_of("volumes"; "\($tool): 32 volumes, beside 1"; it($tool; 32; "stall"); it($tool; 1; "stall"); 1 / 2; "us"),
        part_of("volumes"; "\($tool): 512 volumes, beside 1"; it($tool; 512; "stall"); it($tool; 1; "stall"); 1 / 8; "us")),
    window(1), window(4), window(16), window(32), window(512),
    at_most("volumes"; "agent, resident with 512 volumes"; it("agent"; 512; "resident"); 8388608; "B"),
    at_most("volumes"; "guardian, resident with 512 volumes"; it("guardian"; 512; "resident"); 8388608; "B");

def dirty: . as $result | ("ext4", "xfs", "btrfs") | (., "\(.), rewriting") as $panel | $result |
    best_peer("dirty"; $panel; 256; "stall") as $peer |
    part_of("dirty"; "\($panel), 256 MiB, beside the best peer"; value("dirty"; $panel; "quiesce"; 256; "stall"); $peer; 10; "us"),
    part_of("dirty"; "the same, expedited"; value("dirty"; $panel; "quiesce-expedited"; 256; "stall"); $peer; 40; "us");

def slow:
    "100 MB/s, 256 MiB dirty" as $panel |
    ("quiesce", "quiesce-expedited") as $tool |
    part_of("slow"; "\($tool): \($panel), beside the best peer"; value("slow"; $panel; $tool; 1; "stall"); best_peer("slow"; $panel; 1; "stall"); 50; "us");

def harness:
    def it($tool; $x; $measure): value("harness"; "quiesce-sim"; $tool; $x; $measure);
    at_least("harness"; "virtual, on one processor"; it("virtual"; 1; "rate"); 20000; "/s"),
    at_most("harness"; "virtual, half an hour of waiting"; it("virtual"; 1; "half_an_hour"); 1000; "us"),
    at_least("harness"; "fake, 32 in flight"; it("fake"; 32; "rate"); 150; "/s"),
    at_least("harness"; "loop, 32 in flight"; it("loop"; 32; "rate"); 100; "/s"),
    at_most("harness"; "the whole suite"; it("all"; 16; "suite"); 240000000; "us");

def targets: (.rows | map(.question) | unique) as $asked |
    [cost, trivial, volumes, dirty, slow, harness] | map(select(.question as $question | $asked | index($question)));
