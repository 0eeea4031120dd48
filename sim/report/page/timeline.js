/* timeline.js: the trace of a case, drawn: who ran when, what each volume went through, when writers stood still.
 * timelineOf(case) reads the lines (sim/trace/trace.h) into lanes; drawTimeline(lanes, width, toScale) draws them. */
'use strict';

const timelineOf = (() => {
  const PATTERNS = [
    [/^(agent|guardian|snapshot) (starts|exits|dies)(?: (\S+))?$/, (line, m) => line.run(m[1], m[1], m[2], m[3])],
    [/^(pre|post) (.+) (\d+) (starts|exits|dies)(?: (\S+))?$/,
      (line, m) => line.run(`${m[1]} ${m[2]}`, m[1], m[4], m[5], `attempt ${m[3]}`)],
    [/^leftover of (pre|post) (.+?)(?: (\d+))? (starts|ends|exits|dies)(?: (\S+))?$/,
      (line, m) => line.run(`left by ${m[1]} ${m[2]}`, 'leftover', m[4] === 'ends' ? 'exits' : m[4], m[5])],
    [/^(other )?(sync|freeze|thaw) (.+) (begins|ok|E[A-Z0-9]+|\d+)$/,
      (line, m) => line.operation(m[3], m[2], m[4], !!m[1])],
    [/^writer of (.+) waited ([\d.]+) ms$/, (line, m) => line.waited(m[1], Number(m[2]) * 1000)],
    [/^([A-Z][A-Z0-9]*|\d+) to (.+)$/, (line) => line.mark('kill')],
    [/./, (line) => line.mark('note')],
  ];
  const LANES = ['phases', 'agent', 'guardian', 'pre', 'snapshot', 'post', 'leftover', 'volume', 'writers'];

  const FIRST = {pre: /^pre .* starts$/, freeze: /^(sync|freeze) .* begins$/, snapshot: /^snapshot starts$/,
    thaw: /^thaw .* begins$/, post: /^post .* starts$/};

  /* One line of the trace, put where it belongs. */
  class Line {
    constructor(story, event) {
      this.story = story;
      this.at = event.at_us;
      this.text = event.line;
    }

    lane(name, kind) {
      return this.story.lane(name, kind);
    }

    run(name, kind, what, detail, label) {
      const lane = this.lane(name, kind);
      const open = lane.open.pop();
      if (open && what !== 'starts') {
        const fine = what === 'exits' && (!detail || detail === '0' || kind === 'agent');
        open.end = this.at;
        open.bad = !fine;
        open.label += what === 'dies' ? ` died: ${detail}` : detail && detail !== '0' ? ` exit ${detail}` : '';
      } else if (open) {
        lane.open.push(open);
      }
      if (what === 'starts')
        this.begin(lane, kind, label || '');
    }

    begin(lane, kind, label) {
      const bar = {start: this.at, end: null, kind, label, lane: lane.name};
      lane.bars.push(bar);
      lane.open.push(bar);
      return bar;
    }

    /* A volume is in one operation at a time, and frozen or not beside that. */
    operation(volume, op, outcome, byOther) {
      const lane = this.lane(volume, 'volume');
      const kind = {sync: 'sync', freeze: 'freezing', thaw: 'thawing'}[op];
      if (outcome === 'begins') {
        this.begin(lane, kind, op);
        return;
      }
      const open = lane.open.findIndex((bar) => bar.kind === kind);
      const bar = open < 0 ? null : lane.open.splice(open, 1)[0];
      if (bar) {
        bar.end = this.at;
        bar.bad = outcome !== 'ok';
      }
      if (outcome !== 'ok') {
        if (bar)
          bar.label += ` ${outcome}`;
        lane.marks.push({at: this.at, kind: 'error', label: outcome});
      } else if (op === 'freeze') {
        this.begin(lane, byOther ? 'foreign' : 'frozen', byOther ? 'frozen by somebody else' : 'frozen');
      } else if (op === 'thaw') {
        const frozen = lane.open.findIndex((it) => it.kind === 'frozen' || it.kind === 'foreign');
        if (frozen >= 0)
          lane.open.splice(frozen, 1)[0].end = this.at;
      }
    }

    waited(volume, duration) {
      const lane = this.lane(`writers of ${volume}`, 'writers');
      lane.bars.push({start: Math.max(0, this.at - duration), end: this.at, kind: 'stall', label: 'stood still',
        lane: lane.name});
    }

    mark(kind) {
      this.story.marks.push({at: this.at, kind, label: this.text});
    }
  }

  class Story {
    constructor() {
      this.lanes = [];
      this.marks = [];
      this.end = 0;
    }

    lane(name, kind) {
      let lane = this.lanes.find((it) => it.name === name);
      if (!lane) {
        lane = {name, kind, bars: [], open: [], marks: []};
        this.lanes.push(lane);
      }
      return lane;
    }

    /* The phases that the result tells of. Its clock began somewhat after the agent was started: as late as can be, so
     * that no phase begins after what happens in it. */
    phases(result, events, start) {
      const phases = result && Array.isArray(result.phases) ? result.phases : [];
      const late = phases.map((phase) => {
        const first = FIRST[phase.name] && events.find((event) => FIRST[phase.name].test(event.line));
        return first ? first.at_us - phase.start_us : Infinity;
      });
      const offset = Math.max(start, Math.min(...late));
      for (const phase of phases) {
        const from = (Number.isFinite(offset) ? offset : start) + phase.start_us;
        this.lane('phases', 'phases').bars.push({start: from, end: from + phase.duration_us,
          kind: `phase-${phase.name}`, label: phase.name, lane: 'phases'});
      }
    }
  }

  return (it) => {
    const story = new Story();
    const seen = new Set();
    for (const event of it.trace) {
      if (!seen.has(event.step)) {
        seen.add(event.step);
        if (event.step > 0)
          story.marks.push({at: event.at_us, kind: 'step', label: `command ${event.step + 1}`});
      }
      const line = new Line(story, event);
      for (const [pattern, take] of PATTERNS) {
        const match = pattern.exec(event.line);
        if (match) {
          take(line, match);
          break;
        }
      }
      story.end = Math.max(story.end, event.at_us);
    }
    it.steps.forEach((step, index) => {
      /* The phases that `end` tells of began with `begin`. */
      const begun = it.steps.slice(0, index + 1).map((each) => each.command[1]).lastIndexOf('begin');
      const first = step.result && step.result.command === 'begin' && begun >= 0 ? begun : index;
      const events = it.trace.filter((event) => event.step >= first && event.step <= index);
      const start = events.find((event) => event.line === 'agent starts');
      if (start)
        story.phases(step.result, events, start.at_us);
    });
    for (const lane of story.lanes) {
      for (const bar of lane.open)
        Object.assign(bar, {end: story.end, endless: bar.kind !== 'leftover'});
      for (const bar of lane.bars)
        story.end = Math.max(story.end, bar.end);
    }
    const rank = (lane) => LANES.indexOf(lane.kind);
    story.lanes = story.lanes.map((lane, index) => ({lane, index}))
      .sort((a, b) => rank(a.lane) - rank(b.lane) || a.index - b.index).map(({lane}) => lane);
    return story;
  };
})();

const formatDuration = (us) => {
  if (us < 1000)
    return `${Math.round(us)} µs`;
  if (us < 1e6)
    return `${(us / 1e3).toFixed(us < 1e4 ? 2 : 1)} ms`;
  if (us < 120e6)
    return `${(us / 1e6).toFixed(2)} s`;
  return `${Math.floor(us / 60e6)} min ${Math.round(us / 1e6) % 60} s`;
};

const drawTimeline = (() => {
  const ROW = 24;
  const BAR = 16;
  const TOP = 26;
  const NS = 'http://www.w3.org/2000/svg';
  let serial = 0;

  const element = (name, attributes, parent, text) => {
    const it = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes))
      it.setAttribute(key, value);
    if (text !== undefined)
      it.textContent = text;
    if (parent)
      parent.append(it);
    return it;
  };

  /* Every moment at which something happens, in order. */
  const momentsOf = (story) => {
    const moments = new Set([0, story.end]);
    for (const lane of story.lanes)
      for (const bar of lane.bars)
        moments.add(bar.start).add(bar.end);
    for (const mark of story.marks)
      moments.add(mark.at);
    return [...moments].sort((a, b) => a - b);
  };

  /* Microseconds to pixels. Compressed: a gap's width grows with its logarithm, so that a millisecond beside half an
   * hour can still be seen. */
  const scaleOf = (story, moments, left, width, toScale) => {
    if (toScale)
      return (us) => left + (story.end > 0 ? (us / story.end) * width : 0);
    const places = [0];
    for (let i = 1; i < moments.length; i++)
      places.push(places[i - 1] + 1 + Math.log10(1 + moments[i] - moments[i - 1]));
    const unit = width / (places[places.length - 1] || 1);
    const known = new Map(moments.map((us, i) => [us, left + places[i] * unit]));
    return (us) => known.get(us);
  };

  const drawAxis = (svg, moments, x, bottom, left, right) => {
    let last = -Infinity;
    for (const us of moments) {
      const place = x(us);
      const text = formatDuration(us);
      const half = text.length * 3.3;
      if (place - half < last + 14 || place + half > right + 8)
        continue;
      element('line', {x1: place, x2: place, y1: TOP - 4, y2: bottom, class: 'tick'}, svg);
      element('text', {x: Math.max(place, left + (place === left ? half : 0)), y: bottom + 14, class: 'time',
        'text-anchor': 'middle'}, svg, text);
      last = place + half;
    }
  };

  const drawBar = (svg, bar, x, y, hatch) => {
    const start = x(bar.start);
    const width = Math.max(x(bar.end) - start, 2);
    const thin = bar.kind === 'sync' || bar.kind === 'thawing' || bar.kind === 'freezing';
    const height = thin ? 6 : BAR;
    const top = thin ? y + BAR - height : y;
    const classes = `bar ${bar.kind}${bar.bad ? ' bad' : ''}${bar.endless ? ' endless' : ''}`;
    const group = element('g', {class: classes, 'data-lane': bar.lane, 'data-kind': bar.kind}, svg);
    element('rect', {x: start, y: top, width, height, rx: Math.min(3, width / 2)}, group);
    if (bar.endless)
      element('rect', {x: start, y: top, width, height, rx: 3, fill: `url(#${hatch})`, class: 'hatch'}, group);
    const span = `${formatDuration(bar.start)} to ${formatDuration(bar.end)}, ${formatDuration(bar.end - bar.start)}`;
    const ends = bar.endless ? ', and does not end' : '';
    element('title', {}, group, `${bar.lane}: ${bar.label || bar.kind}, ${span}${ends}`);
    if (!thin && bar.label && bar.label.length * 6.4 + 8 < width)
      element('text', {x: start + 5, y: y + 12, class: 'label'}, group, bar.label);
  };

  const drawMark = (svg, mark, place, bottom, right) => {
    const group = element('g', {class: `mark ${mark.kind}`, 'data-kind': mark.kind}, svg);
    const late = place + mark.label.length * 6.2 > right;
    element('line', {x1: place, x2: place, y1: 14, y2: bottom}, group);
    element('text', {x: place + (late ? -4 : 4), y: 11, 'text-anchor': late ? 'end' : 'start'}, group, mark.label);
    element('title', {}, group, `${mark.label}, at ${formatDuration(mark.at)}`);
  };

  const drawLane = (svg, lane, y, x, gutter, narrow, hatch) => {
    const label = element('text', {x: 0, y: narrow ? y - 4 : y + 12, class: 'lane'}, svg,
      narrow || lane.name.length * 6.6 < gutter ? lane.name : `…${lane.name.slice(-Math.floor(gutter / 6.6) + 2)}`);
    element('title', {}, label, lane.name);
    /* Operations are drawn over what lasts. */
    const thin = (bar) => ['sync', 'freezing', 'thawing'].includes(bar.kind);
    for (const bar of [...lane.bars].sort((a, b) => thin(a) - thin(b)))
      drawBar(svg, bar, x, y, hatch);
    for (const mark of lane.marks)
      element('text', {x: x(mark.at) + 4, y: y + 10, class: 'error'}, svg, mark.label);
  };

  return (story, width, toScale) => {
    const narrow = width < 560;
    const gutter = narrow ? 0 : Math.min(190, 16 + 6.6 * Math.max(...story.lanes.map((lane) => lane.name.length), 8));
    const row = narrow ? ROW + 14 : ROW;
    const bottom = TOP + story.lanes.length * row + 2;
    const right = width - 10;
    const left = gutter + 2;
    const hatch = `hatch-${++serial}`;
    const svg = element('svg', {width, height: bottom + 22, viewBox: `0 0 ${width} ${bottom + 22}`, role: 'img',
      'aria-label': `Timeline of ${formatDuration(story.end)}: ${story.lanes.map((lane) => lane.name).join(', ')}. ` +
        'The trace below tells the same in words.'});
    const pattern = element('pattern', {id: hatch, width: 6, height: 6, patternUnits: 'userSpaceOnUse',
      patternTransform: 'rotate(45)'}, element('defs', {}, svg));
    element('line', {x1: 0, y1: 0, x2: 0, y2: 6, class: 'hatch-line'}, pattern);
    const moments = momentsOf(story);
    const x = scaleOf(story, moments, left, right - left, toScale);
    drawAxis(svg, moments, x, bottom, left, right);
    story.lanes.forEach((lane, index) => {
      const y = TOP + index * row + (narrow ? 18 : 4);
      element('line', {x1: 0, x2: width, y1: TOP + index * row, y2: TOP + index * row, class: 'rule'}, svg);
      drawLane(svg, lane, y, x, gutter, narrow, hatch);
    });
    for (const mark of story.marks)
      drawMark(svg, mark, x(mark.at), bottom, right);
    return svg;
  };
})();
