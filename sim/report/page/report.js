/* report.js: the page from its data: headline, overview, and a table that can be searched, filtered and sorted. */
'use strict';

(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const VERDICTS = ['failed', 'broken', 'passed', 'skipped', 'not run'];
  const MARKS = {failed: '✗', broken: '!', passed: '✓', skipped: '–', 'not run': '·'};
  const by = (id) => document.getElementById(id);

  const make = (name, properties, ...children) => {
    const it = document.createElement(name);
    for (const [key, value] of Object.entries(properties || {})) {
      if (key.startsWith('aria-') || key === 'role')
        it.setAttribute(key, value);
      else if (key === 'data')
        Object.assign(it.dataset, value);
      else
        it[key] = value;
    }
    it.append(...children.filter((child) => child !== null && child !== undefined));
    return it;
  };

  /* ---- What can be said of a case ---- */

  const words = (name, className, text) => make(name, {className, textContent: text});

  const titleOf = (it) => it.name + (it.variant ? `:${it.variant}` : '') +
    (it.repetition ? ` #${it.repetition + 1}` : '');
  const capabilityOf = (it) => (it.name.includes('/') ? it.name.split('/')[0] : 'scenarios');

  const frozenOf = (story) => {
    let longest = 0;
    for (const lane of story.lanes)
      for (const bar of lane.bars)
        if (bar.kind === 'frozen')
          longest = Math.max(longest, bar.end - bar.start);
    return longest;
  };

  const cases = data.cases.map((it, index) => {
    const story = timelineOf(it);
    const found = [titleOf(it), it.description, it.world, it.verdict, it.why, ...it.tags,
      ...it.findings.flatMap((finding) => [finding.what, finding.expected, finding.seen]),
      ...it.steps.map((step) => (step.result && step.result.code) || ''), ...it.trace.map((event) => event.line)];
    return {it, index, story, title: titleOf(it), capability: capabilityOf(it), frozen: frozenOf(story),
      text: found.filter(Boolean).join('\n').toLowerCase(), row: null, detail: null, draw: null};
  });
  const worlds = [...new Set(cases.map((one) => one.it.world))];

  /* ---- Headline ---- */

  const plural = (count, word) => `${count} ${word}${count === 1 ? '' : 's'}`;

  const copyButton = (text) => {
    const button = make('button', {type: 'button', className: 'copy', textContent: 'Copy'});
    button.addEventListener('click', async (event) => {
      event.stopPropagation();
      const copied = () => navigator.clipboard.writeText(text).then(() => true, () => false);
      button.textContent = navigator.clipboard && await copied() ? 'Copied' : 'Select it';
      setTimeout(() => { button.textContent = 'Copy'; }, 2000);
    });
    return button;
  };

  const showHeadline = () => {
    const bad = data.counts.failed + data.counts.broken;
    const total = cases.length;
    const {failed, broken, passed} = data.counts;
    const all = plural(total, 'case');
    const wrong = [failed ? `${failed} failed` : null, broken ? `${broken} could not be played` : null].filter(Boolean);
    const good = passed === total ? `All ${all} passed` : `${passed} of ${all} passed`;
    const headline = bad ? `${wrong.join(', ')} of ${all}` : good;
    by('headline').textContent = data.interrupted ? `${headline}, interrupted` : headline;
    document.title = `${headline} · quiesce`;
    document.body.classList.add(bad ? 'has-failed' : 'all-well');
    const strip = by('strip');
    const told = VERDICTS.filter((verdict) => data.counts[verdict] > 0);
    strip.setAttribute('aria-label', told.map((verdict) => `${data.counts[verdict]} ${verdict}`).join(', '));
    for (const verdict of told) {
      const part = make('span', {className: verdict.replace(' ', '-'), title: `${data.counts[verdict]} ${verdict}`});
      part.style.flexGrow = data.counts[verdict];
      strip.append(part);
    }
    const facts = [['Seed', String(data.seed)], ['Started', data.started.replace('T', ' ').replace('Z', ' UTC')],
      ['Took', formatDuration(data.duration_us)], ['Machine', `Linux ${data.kernel}, ${data.machine}`],
      ['Version', data.version]];
    for (const [name, value] of facts)
      by('facts').append(make('div', {}, make('dt', {textContent: name}), make('dd', {textContent: value})));
    by('facts').append(make('div', {className: 'command'}, make('dt', {textContent: 'Again'}),
      make('dd', {}, make('code', {textContent: data.command}), copyButton(data.command))));
  };

  /* ---- Filters ---- */

  const shown = {verdicts: new Set(), worlds: new Set(), capability: null, text: '', sort: 'file', down: false};

  const isShown = (one) => (shown.verdicts.size === 0 || shown.verdicts.has(one.it.verdict)) &&
    (shown.worlds.size === 0 || shown.worlds.has(one.it.world)) &&
    (shown.capability === null || shown.capability === one.capability) &&
    shown.text.toLowerCase().split(/\s+/).every((word) => one.text.includes(word));

  const toggles = (parent, values, chosen, label) => {
    for (const value of values) {
      const button = make('button', {type: 'button', 'aria-pressed': 'false', data: {value}}, ...label(value));
      button.addEventListener('click', () => {
        if (!chosen.delete(value))
          chosen.add(value);
        show();
      });
      parent.append(button);
    }
  };

  const showOverview = () => {
    const capabilities = [...new Set(cases.map((one) => one.capability))];
    const head = make('tr', {}, make('td'), ...worlds.map((world) => make('th', {scope: 'col', textContent: world})));
    const table = make('table', {className: 'overview'}, make('thead', {}, head));
    const body = make('tbody');
    for (const capability of capabilities) {
      const row = make('tr', {}, make('th', {scope: 'row', textContent: capability}));
      for (const world of worlds) {
        const those = cases.filter((one) => one.capability === capability && one.it.world === world);
        const bad = those.filter((one) => one.it.verdict === 'failed' || one.it.verdict === 'broken').length;
        const passed = those.filter((one) => one.it.verdict === 'passed').length;
        const state = bad ? 'failed' : passed ? 'passed' : 'skipped';
        const says = {failed: `${bad} of ${those.length} failed`, passed: `${passed} passed`,
          skipped: `${those.length} skipped`}[state];
        const cell = make('button', {type: 'button', className: `cell ${state}`, 'aria-pressed': 'false',
          textContent: says, data: {capability, world}, 'aria-label': `${capability}, ${world}: ${says}`});
        cell.addEventListener('click', () => {
          const again = shown.capability === capability && shown.worlds.size === 1 && shown.worlds.has(world);
          shown.capability = again ? null : capability;
          shown.worlds.clear();
          if (!again)
            shown.worlds.add(world);
          show();
        });
        row.append(make('td', {}, those.length ? cell : null));
      }
      body.append(row);
    }
    table.append(body);
    by('overview').append(table);
  };

  /* ---- The table ---- */

  const COLUMNS = [
    {key: 'verdict', name: 'Verdict', of: (one) => VERDICTS.indexOf(one.it.verdict)},
    {key: 'world', name: 'World', of: (one) => one.it.world},
    {key: 'file', name: 'Scenario', of: (one) => one.index},
    {key: 'frozen', name: 'Frozen', of: (one) => one.frozen, number: true,
      hint: 'The longest that a volume was frozen, in the world\'s own time'},
    {key: 'stall', name: 'Stall', of: (one) => one.it.longest_stall_us, number: true,
      hint: 'The longest that a writer stood still'},
    {key: 'took', name: 'Took', of: (one) => one.it.duration_us, number: true, hint: 'Real time'},
  ];

  const makeRow = (one) => {
    const {it} = one;
    const toggle = make('button', {type: 'button', className: 'toggle', 'aria-expanded': 'false'},
      words('span', 'name', it.name),
      it.variant ? words('span', 'variant', it.variant.replaceAll(',', ', ')) : null,
      it.repetition ? words('span', 'variant', `#${it.repetition + 1}`) : null);
    const number = (name, us) => make('td', {role: 'cell', className: 'number', data: {name},
      textContent: us > 0 ? formatDuration(us) : ''});
    const mark = make('span', {'aria-hidden': 'true', textContent: `${MARKS[it.verdict]} `});
    one.row = make('tr', {role: 'row', className: `case ${it.verdict.replace(' ', '-')}`, id: `case-${one.index}`},
      make('td', {role: 'cell', className: 'verdict'}, make('span', {className: 'badge'}, mark, it.verdict)),
      make('td', {role: 'cell', className: 'world', textContent: it.world}),
      make('td', {role: 'cell', className: 'scenario'}, toggle, words('p', 'rule', it.description),
        it.why ? words('p', 'why', it.why) : null),
      number('frozen', one.frozen), number('stall', it.longest_stall_us), number('took', it.duration_us));
    toggle.addEventListener('click', () => open(one, !one.detail));
    one.row.addEventListener('click', (event) => {
      if (!event.target.closest('button') && !String(getSelection()))
        open(one, !one.detail);
    });
    return one.row;
  };

  const showHeads = () => {
    for (const column of COLUMNS) {
      const button = make('button', {type: 'button', textContent: column.name, title: column.hint || ''});
      button.addEventListener('click', () => {
        shown.down = shown.sort === column.key ? !shown.down : !!column.number;
        shown.sort = column.key;
        show();
      });
      by('heads').append(make('th', {role: 'columnheader', scope: 'col', className: column.number ? 'number' : '',
        data: {key: column.key}}, button));
    }
  };

  const show = () => {
    const column = COLUMNS.find((one) => one.key === shown.sort);
    const sign = shown.down ? -1 : 1;
    const compare = (a, b) => {
      const x = column.of(a);
      const y = column.of(b);
      return (x < y ? -sign : x > y ? sign : 0) || a.index - b.index;
    };
    const some = cases.filter(isShown).sort(compare);
    const rows = document.createDocumentFragment();
    for (const one of some)
      rows.append(...[one.row || makeRow(one), one.detail].filter(Boolean));
    by('rows').replaceChildren(rows);
    const all = plural(cases.length, 'case');
    by('shown').textContent = some.length === cases.length ? all : `${some.length} of ${all}`;
    by('reset').hidden = some.length === cases.length;
    const order = shown.down ? 'descending' : 'ascending';
    for (const head of by('heads').children)
      head.setAttribute('aria-sort', head.dataset.key === shown.sort ? order : 'none');
    for (const [id, chosen] of [['verdicts', shown.verdicts], ['worlds', shown.worlds]])
      for (const button of by(id).children)
        button.setAttribute('aria-pressed', chosen.has(button.dataset.value));
    for (const cell of by('overview').querySelectorAll('.cell')) {
      const {capability, world} = cell.dataset;
      cell.setAttribute('aria-pressed', capability === shown.capability && shown.worlds.has(world));
    }
  };

  /* ---- One case ---- */

  const value = (name, text) => make('div', {className: name}, make('h5', {textContent: name}),
    make('pre', {textContent: text === null ? '' : text === '' ? '(empty)' : text}));

  const findingsOf = (it) => make('ol', {className: 'findings'}, ...it.findings.map((finding) => make('li', {},
    make('h4', {}, finding.invariant ? words('span', 'tag', `invariant ${finding.invariant}`) : null, finding.what),
    finding.expected === null && finding.seen === null ? null
      : make('div', {className: 'compare'}, value('expected', finding.expected), value('seen', finding.seen)))));

  const LEGEND = [['frozen', 'frozen'], ['freezing', 'freezing'], ['thawing', 'thawing'], ['sync', 'sync'],
    ['foreign', 'frozen by somebody else'], ['stall', 'writers stand still']];

  const figureOf = (one) => {
    const place = make('div', {className: 'drawing'});
    const scale = make('button', {type: 'button', className: 'scale', 'aria-pressed': 'false', textContent: 'To scale',
      title: 'Time is compressed unless this is on'});
    const kinds = new Set(one.story.lanes.flatMap((lane) => lane.bars.map((bar) => bar.kind)));
    const legend = make('ul', {className: 'legend', 'aria-hidden': 'true'}, ...LEGEND
      .filter(([kind]) => kinds.has(kind))
      .map(([kind, says]) => make('li', {}, make('span', {className: `swatch ${kind}`}), says)));
    let width = 0;
    const draw = () => {
      width = Math.floor(place.clientWidth);
      if (width > 0)
        place.replaceChildren(drawTimeline(one.story, width, scale.getAttribute('aria-pressed') === 'true'));
    };
    scale.addEventListener('click', () => {
      scale.setAttribute('aria-pressed', scale.getAttribute('aria-pressed') !== 'true');
      draw();
    });
    new ResizeObserver(() => requestAnimationFrame(() => {
      if (Math.floor(place.clientWidth) !== width)
        draw();
    })).observe(place);
    one.draw = draw; /* once it is in the page and has a width */
    return make('figure', {className: 'timeline'}, make('figcaption', {}, legend, scale), place);
  };

  const traceOf = (it) => {
    const pointed = new Set(it.findings.map((finding) => finding.event));
    return make('details', {className: 'trace', open: it.findings.length > 0},
      make('summary', {textContent: `Trace, ${plural(it.trace.length, 'line')}`}),
      make('table', {}, make('tbody', {}, ...it.trace.map((event, index) => make('tr',
        {className: pointed.has(index) ? 'pointed' : ''},
        words('td', 'number', `${(event.at_us / 1e3).toFixed(3)} ms`), make('td', {textContent: event.line}))))));
  };

  const folded = (name, text) => (!text ? null
    : make('details', {}, make('summary', {textContent: name}), make('pre', {textContent: text})));

  const stepOf = (step) => make('div', {className: 'step'},
    make('p', {}, make('code', {textContent: step.command.join(' ')}), ' ',
      words('span', 'status', step.signal ? `died of signal ${step.signal}` : `exit ${step.exit}`)),
    folded('Standard output', step.result ? '' : step.out), folded('Standard error', step.err),
    folded('Result', step.result ? JSON.stringify(step.result, null, 2) : ''));

  const detailOf = (one) => {
    const {it} = one;
    const inside = make('div', {className: 'inside'},
      it.findings.length ? findingsOf(it) : null,
      it.trace.length ? figureOf(one) : words('p', 'none', 'There is no trace.'),
      make('div', {className: 'again'}, make('h4', {textContent: 'Repeat'}), make('code', {textContent: it.repeat}),
        copyButton(it.repeat)),
      it.kept ? make('p', {}, 'Kept: ', make('code', {textContent: it.kept})) : null,
      it.trace.length ? traceOf(it) : null,
      ...it.steps.map(stepOf),
      folded('Standard error of the player', it.stderr),
      make('p', {className: 'file'}, make('code', {textContent: it.file}),
        ...it.tags.map((tag) => words('span', 'tag', tag))));
    return make('tr', {role: 'row', className: 'detail'}, make('td', {role: 'cell', colSpan: COLUMNS.length}, inside));
  };

  const open = (one, wanted) => {
    if (!wanted && one.detail) {
      one.detail.remove();
      one.detail = null;
    }
    if (wanted && !one.detail) {
      one.detail = detailOf(one);
      one.row.after(one.detail);
      if (one.draw)
        one.draw();
    }
    one.row.classList.toggle('open', wanted);
    one.row.querySelector('.toggle').setAttribute('aria-expanded', wanted);
  };

  /* ---- All of it ---- */

  showHeadline();
  showOverview();
  toggles(by('verdicts'), VERDICTS.filter((verdict) => data.counts[verdict] > 0), shown.verdicts,
    (verdict) => [make('span', {className: `dot ${verdict.replace(' ', '-')}`}), `${verdict} ${data.counts[verdict]}`]);
  toggles(by('worlds'), worlds.length > 1 ? worlds : [], shown.worlds, (world) => [world]);
  showHeads();
  by('search').addEventListener('input', (event) => {
    shown.text = event.target.value;
    show();
  });
  by('reset').addEventListener('click', () => {
    shown.verdicts.clear();
    shown.worlds.clear();
    Object.assign(shown, {capability: null, text: ''});
    by('search').value = '';
    show();
    by('search').focus();
  });
  document.addEventListener('keydown', (event) => {
    if (event.key === '/' && event.target !== by('search') && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      by('search').focus();
    }
  });
  show();
  const first = cases.find((one) => one.it.verdict === 'failed') || cases.find((one) => one.it.verdict === 'broken');
  if (first)
    open(first, true);
})();
