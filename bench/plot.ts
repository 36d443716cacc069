import { Error as ERROR_LEVEL, logger, parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';

/** Horizontal bars with their spread; the scale is logarithmic, so that twice as fast and half as fast are equally long. */
export interface Bars {
  readonly title: string;
  /** What the bars are times of. */
  readonly axis: string;
  readonly bars: readonly {
    readonly group: string;
    readonly name: string;
    readonly series: string;
    readonly value: number;
    readonly low: number;
    readonly high: number;
  }[];
}

export function barsToSvg({ title, axis, bars }: Bars): Promise<string> {
  const y = { field: 'name', type: 'nominal', title: null, sort: null } as const;
  const yOffset = { field: 'series', sort: null } as const;
  const scale = { type: 'log', base: 2 } as const;
  const spec: TopLevelSpec = {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: { text: title, anchor: 'start' },
    background: 'white',
    data: { values: [...bars] },
    facet: { field: 'group', type: 'nominal', title: null, sort: null },
    columns: 2,
    resolve: { scale: { y: 'independent' } },
    spec: {
      width: 320,
      height: { step: 9 },
      layer: [
        {
          mark: { type: 'bar', tooltip: true },
          encoding: {
            y,
            yOffset,
            x: { field: 'value', type: 'quantitative', scale, title: axis, axis: { format: '~r' } },
            x2: { datum: 1 },
            color: { field: 'series', type: 'nominal', title: null, sort: null },
          },
        },
        {
          mark: { type: 'rule', color: '#333' },
          encoding: { y, yOffset, x: { field: 'low', type: 'quantitative', scale }, x2: { field: 'high' } },
        },
        { mark: { type: 'rule', color: '#000', strokeWidth: 1.5 }, encoding: { x: { datum: 1 } } },
      ],
    },
  };
  // a warning for each facet whose rows are its own tells nothing
  return new View(parse(compile(spec, { logger: logger(ERROR_LEVEL) }).spec), { renderer: 'none' }).toSVG();
}
