// Small plots as SVG: how the cost of recovery grows.

interface Series {
  readonly name: string;
  readonly colour: string;
  /** x and y, both above 0. */
  readonly points: readonly (readonly [number, number])[];
}

interface Plot {
  readonly title: string;
  readonly x: string;
  readonly series: readonly Series[];
  readonly xLabel: (value: number) => string;
}

const WIDTH = 560;
const HEIGHT = 300;
const LEFT = 70;
const BOTTOM = 44;
const TOP = 34;
const RIGHT = 130;

/** Both axes logarithmic: a straight line of slope 1 grows in proportion. */
function svg({ title, x, series, xLabel }: Plot): string {
  const all = series.flatMap(({ points }) => points);
  const [x0, x1] = [Math.min(...all.map(([value]) => value)), Math.max(...all.map(([value]) => value))];
  const y0 = 10 ** Math.floor(Math.log10(Math.min(...all.map(([, value]) => value))));
  const y1 = 10 ** Math.ceil(Math.log10(Math.max(...all.map(([, value]) => value))));
  const scale = (value: number, from: number, to: number) => Math.log(value / from) / Math.log(to / from);
  const px = (value: number) => (LEFT + scale(value, x0, x1) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const py = (value: number) => (HEIGHT - BOTTOM - scale(value, y0, y1) * (HEIGHT - BOTTOM - TOP)).toFixed(1);
  const parts: string[] = [];
  for (let y = y0; y <= y1 * 1.01; y *= 10) {
    parts.push(`<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${py(y)}" y2="${py(y)}" stroke="#ddd"/>`);
    parts.push(`<text x="${LEFT - 8}" y="${py(y)}" text-anchor="end" dominant-baseline="middle">${y} ms</text>`);
  }
  for (const [value] of series[0]!.points) {
    parts.push(`<text x="${px(value)}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${xLabel(value)}</text>`);
  }
  for (const { name, colour, points } of series) {
    const line = points.map(([vx, vy]) => `${px(vx)},${py(vy)}`).join(' ');
    parts.push(`<polyline points="${line}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    for (const [vx, vy] of points) parts.push(`<circle cx="${px(vx)}" cy="${py(vy)}" r="3" fill="${colour}"/>`);
    const [lx, ly] = points.at(-1)!;
    parts.push(
      `<text x="${Number(px(lx)) + 8}" y="${py(ly)}" fill="${colour}" dominant-baseline="middle">${name}</text>`,
    );
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="11">`,
    `<title>${title}</title>`,
    '<rect width="100%" height="100%" fill="white"/>',
    `<text x="${LEFT}" y="18" font-size="13">${title}</text>`,
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${x}</text>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

/** @returns file name → SVG */
export function recoveryPlots(growth: {
  readonly zones: readonly (readonly [number, number, number])[];
  readonly recordSize: readonly (readonly [number, number])[];
}): Record<string, string> {
  return {
    'performance-zones.svg': svg({
      title: 'Recovery by number of zones (blkoops, 64 KiB each)',
      x: 'zones',
      xLabel: String,
      series: [
        { name: 'recovery', colour: '#c0392b', points: growth.zones.map(([x, , y]) => [x, y]) },
        { name: 'raw header reads', colour: '#2c3e50', points: growth.zones.map(([x, y]) => [x, y]) },
      ],
    }),
    'performance-record-size.svg': svg({
      title: 'Recovery of 4,096 zones by size of a zone',
      x: 'bytes of a zone',
      xLabel: (value) => `${value / 1024} KiB`,
      series: [{ name: 'recovery', colour: '#c0392b', points: growth.recordSize }],
    }),
  };
}
