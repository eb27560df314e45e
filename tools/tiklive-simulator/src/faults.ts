import { tiklive } from '@weir/upstream-catalog';
import { z } from 'zod';
import { Seeded } from './bodies/seeded';

const endpoints = new Set([...tiklive.endpoints.map((endpoint) => endpoint.id), 'balance']);

const where = {
  /** Only calls of this key; otherwise of all. */
  key: z.string().min(1).max(200).optional(),
  endpoint: z.string().refine((id) => endpoints.has(id), `not an endpoint: ${[...endpoints].join(', ')}`).optional(),
  /** Of the calls that match; drawn at random, in an order that the seed fixes. */
  share: z.number().gt(0).max(1).default(1),
  seed: z.string().max(100).default(''),
  /** How often it strikes before it is over; without it, until it is removed. */
  times: z.number().int().positive().optional(),
  /** Whether the call is charged all the same; unsaid, each kind has its own way. */
  charged: z.boolean().optional(),
};
const fault = <K extends string, S extends z.ZodRawShape>(kind: K, more: S) => z.strictObject({ kind: z.literal(kind), ...more, ...where });

/** A number of seconds (also −5 or 1e9); a date so many seconds from now; any text; null for no header. */
const retryAfter = z.union([z.number(), z.strictObject({ dateInSeconds: z.number() }), z.string().max(200), z.null()]);

export const newFault = z.discriminatedUnion('kind', [
  fault('401', {}),
  fault('402', {}),
  fault('402-body', { message: z.string().min(1).max(500).default('Insufficient credits') }),
  fault('403', {}),
  fault('429', { retryAfter: retryAfter.default(1) }),
  fault('500', {}),
  fault('502', {}),
  fault('503', { retryAfter: retryAfter.default(null) }),
  fault('504', {}),
  fault('slow', { ms: z.number().int().positive().max(600_000) }),
  fault('cut', { at: z.enum(['before-headers', 'in-body']).default('before-headers') }),
  fault('gzip-bomb', { bytes: z.number().int().positive().max(2 ** 36).default(2 ** 28) }),
  fault('bad-json', {}),
  fault('bad-utf8', {}),
  fault('html', {}),
  fault('shape-drift', {
    /** The required field that gets another name, `videos[].video_id`; unsaid, the first that the catalog promises. */
    field: z.string().min(1).max(200).optional(),
  }),
  fault('proto', {}),
]);

export type NewFault = z.input<typeof newFault>;
export type Fault = z.output<typeof newFault>;
export type SlowFault = Extract<Fault, { kind: 'slow' }>;
/** A fault that takes the place of the answer, or spoils it. */
export type Effect = Exclude<Fault, SlowFault>;

export type ListedFault = Fault & { readonly id: string; readonly struck: number };

export interface Struck {
  readonly slowMs: number;
  readonly effect: Effect | undefined;
}
const NOTHING: Struck = { slowMs: 0, effect: undefined };

/** Faults on command. They are for the running process: a restart has none. */
export class Faults {
  private readonly active = new Map<string, { fault: Fault; random: Seeded; struck: number }>();
  private made = 0;

  add(input: NewFault): ListedFault {
    const fault = newFault.parse(input);
    const id = `flt_${++this.made}`;
    this.active.set(id, { fault, random: new Seeded(fault.seed), struck: 0 });
    return { id, ...fault, struck: 0 };
  }

  list(): ListedFault[] {
    return [...this.active].map(([id, { fault, struck }]) => ({ id, ...fault, struck }));
  }

  remove(id: string): boolean {
    return this.active.delete(id);
  }

  clear(): void {
    this.active.clear();
  }

  /** What befalls this call: delays add up, and the first other fault in the order of their making has it. */
  strike(key: string, endpoint: string): Struck {
    if (this.active.size === 0) return NOTHING;
    let slowMs = 0;
    let effect: Effect | undefined;
    for (const [id, standing] of this.active) {
      const { fault } = standing;
      if (fault.kind !== 'slow' && effect !== undefined) continue;
      if ((fault.key ?? key) !== key || (fault.endpoint ?? endpoint) !== endpoint) continue;
      if (fault.share < 1 && !standing.random.chance(fault.share)) continue;
      standing.struck += 1;
      if (standing.struck === fault.times) this.active.delete(id);
      if (fault.kind === 'slow') slowMs += fault.ms;
      else effect = fault;
    }
    return { slowMs, effect };
  }
}
